#!/usr/bin/env bash
# P2: a database of more than 1 GiB has a page that is never used, where SQLite's locks lie: the copy has it too, in both modes,
# with the last transactions in a WAL beyond it, and the bytes are those of the recovered, checkpointed source.
. "$(dirname "$0")/../lib.sh"

is_plain || skip 'a gigabyte is for the plain build'
db=$SRC/big.db
# A gigabyte of free pages takes no room and no time: the header says how long the file is, and nothing but the last is used.
"$PYTHON" - "$db" <<'PY'
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA page_size=65536")
connection.execute("PRAGMA journal_mode=OFF")
connection.execute("PRAGMA synchronous=OFF")
connection.execute("CREATE TABLE big(body)")
connection.execute("BEGIN")
for _ in range(17):
    connection.execute("INSERT INTO big VALUES(zeroblob(65000000))")
connection.execute("COMMIT")
connection.execute("CREATE TABLE stamp(n)")
connection.execute("INSERT INTO stamp VALUES(1)")
connection.close()
PY
[ "$(stat -c %s "$db")" -gt 1073807360 ] || fail "only $(stat -c %s "$db") bytes"
mount_fs
check() {
        cp "$MNT/big.db" "$T/copy.db"
        equal "$(sql "$T/copy.db" 'SELECT n FROM stamp; SELECT count(*), sum(length(body)) FROM big')" "$(printf '%s\n17|1105000000' "$1")" "what the copy holds"
        cp --sparse=always "$db" "$T/expected.db"
        if [ -e "$db-wal" ]; then cp "$db-wal" "$T/expected.db-wal"; fi
        sql "$T/expected.db" 'SELECT 1 FROM stamp' >"$T/null"
        cmp "$T/copy.db" "$T/expected.db" || fail "not the bytes of the recovered source"
        rm -f "$T"/copy.db* "$T"/expected.db*
}
check 1
sql "$db" 'PRAGMA journal_mode=WAL' >"$T/null"
"$PYTHON" - "$db" "$T/ready" <<'PY' &
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("UPDATE stamp SET n = 2")
connection.execute("CREATE TABLE late(x)")
connection.execute("INSERT INTO late VALUES(randomblob(3000000))")
open(sys.argv[2], "w").close()
while True:
    time.sleep(100)
PY
OTHERS+=($!)
wait_for 60 test -e "$T/ready"
check 2
# A crash: the private way.
kill -KILL "${OTHERS[0]}"
wait "${OTHERS[0]}" 2>"$T/null" || true
OTHERS=()
rm "$db-shm"
check 2
unmount_fs
