#!/usr/bin/env bash
# No lock is held across a backup: while a large database is copied, stat, ls and reads of other files, of another
# database too, answer at once. "At once": a hundred of them are through before the large one is copied, and none takes a second.
. "$(dirname "$0")/../lib.sh"

# The slower engine, and the full size in every build: the copy has to outlast the visits.
megabytes=2000
mkdir "$SRC/dir"
for i in $(seq 50); do echo "$i" >"$SRC/dir/$i"; done
sql "$SRC/big.db" "PRAGMA synchronous=off; CREATE TABLE t(x); WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL
        SELECT i + 1 FROM k WHERE i < $megabytes) INSERT INTO t SELECT zeroblob(1000000) FROM k"
sql "$SRC/small.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
mount_fs -o engine=backup
begun() {
        [ -n "$(find "/proc/$DAEMON/fd" -lname "$SNAP/*" 2>/dev/null)" ] || ! job_runs copy
}
start_job copy "$PYTHON" "$TOOLS/time-open.py" "$MNT/big.db"
wait_for 30 begun
job_runs copy || fail "the copy was over at once: nothing to prove"
"$PYTHON" "$TOOLS/busy-visitor.py" "$MNT" 25 >"$T/visitor" || fail "$(cat "$T/visitor")"
job_runs copy || fail "the visitor had to wait for the copy: $(cat "$T/visitor" "$T/copy.out")"
cat "$T/visitor"
finish_job copy 300
say "the large database: $(cat "$T/copy.out")"
unmount_fs
