#!/usr/bin/env bash
# 64 readers of 64 databases, each opened at the same moment by its own process, all get their own, whole.
. "$(dirname "$0")/../lib.sh"

for i in $(seq 64); do
        sql "$SRC/$i.db" "PRAGMA journal_mode=$([ $((i % 2)) = 0 ] && echo wal || echo delete);
                CREATE TABLE t(x); INSERT INTO t VALUES($i); INSERT INTO t VALUES(randomblob(2000000))" >"$T/null"
done
"$PYTHON" "$TOOLS/hold-open.py" wal "$T/held" "$SRC"/*.db &
OTHERS+=($!)
wait_for 60 test -e "$T/held"
mount_fs
for round in 1 2 3; do
        "$PYTHON" "$TOOLS/many-openers.py" "$T/out" "$T/unused" "$MNT"/*.db
        for i in $(seq 64); do
                cmp "$T/out/$i.db" "$SRC/$i.db" || fail "round $round: copy $i differs"
        done
        for i in $(seq 64); do sql "$SRC/$i.db" "UPDATE t SET x = x + 1 WHERE rowid = 1; PRAGMA wal_checkpoint" >"$T/null"; done
done
unmount_fs
