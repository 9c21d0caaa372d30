# What the cases of streaming and lingering share. Sourced after ../lib.sh.
# shellcheck shell=bash

# make_large FILE JOURNAL MEGABYTES
make_large() {
        sql "$1" "PRAGMA synchronous=off; PRAGMA journal_mode=$2; CREATE TABLE t(id INTEGER PRIMARY KEY, stamp, body);
                CREATE TABLE n(n); INSERT INTO n VALUES(0); WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL
                SELECT i + 1 FROM k WHERE i < $3 * 50) INSERT INTO t SELECT i, 0, randomblob(20000) FROM k" >"$T/null"
}

# watch_copies ARGUMENT...: runs the Python program on stdin, which imports from tools/watch_copies.py.
watch_copies() {
        SNAP=$SNAP DAEMON=$DAEMON PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1 "$PYTHON" - "$@"
}
