#!/usr/bin/env bash
# No lock is held across a backup: while a large database is copied, stat, ls and reads of other files, of another
# database too, are answered. The case holds the copy until a hundred of them are through.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
for i in $(seq 50); do echo "$i" >"$SRC/dir/$i"; done
sql "$SRC/big.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(50000000))'
sql "$SRC/small.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
paced
mount_fs -o engine=backup
pace hold 10000000
start_job copy "$PYTHON" "$TOOLS/time-open.py" "$MNT/big.db"
wait_for 60 pace is_held
timeout 60 "$PYTHON" "$TOOLS/busy-visitor.py" "$MNT" 25 || fail 'the visitor had to wait for the copy'
pace is_held || fail 'the copy went on: nothing was proved'
job_runs copy || fail "the large one was read before it was copied: $(cat "$T/copy.out")"
pace free
finish_job copy
say "the large database: $(cat "$T/copy.out")"
unmount_fs
