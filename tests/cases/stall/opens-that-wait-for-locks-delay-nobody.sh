#!/usr/bin/env bash
# 64 opens wait for databases that applications are in the middle of writing; meanwhile a stat, an ls, a read and the open of a free
# database are answered, and when the locks go all 64 get what they wanted.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir" "$SRC/locked"
for i in $(seq 50); do echo "$i" >"$SRC/dir/$i"; done
sql "$SRC/locked/1.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(100000))'
for i in $(seq 2 64); do cp "$SRC/locked/1.db" "$SRC/locked/$i.db"; done
cp "$SRC/locked/1.db" "$SRC/small.db"
cp "$SRC/locked/1.db" "$SRC/big.db"
"$PYTHON" "$TOOLS/hold-open.py" exclusive "$T/held" "$SRC"/locked/*.db &
holder=$!
OTHERS+=("$holder")
wait_for 60 test -e "$T/held"
mount_fs -o busy_timeout=300000
all_asked() {
        grep -q '^asked 64 ' "$T/state"
}
start_job openers "$PYTHON" "$TOOLS/many-openers.py" "$T/out" "$T/state" "$MNT"/locked/*.db
wait_for 60 all_asked
timeout 120 "$PYTHON" "$TOOLS/busy-visitor.py" "$MNT" 50 || fail 'the visitor had to wait'
equal "$(cat "$T/state")" "asked 64 opened 0" "the opens must still wait"
job_runs openers || fail "the openers are done, although all is locked"
ls -l "$MNT/locked" >"$T/null"
kill "$holder"
finish_job openers 120
for i in $(seq 64); do cmp "$T/out/$i.db" "$SRC/locked/$i.db"; done
unmount_fs
