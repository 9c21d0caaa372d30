#!/usr/bin/env bash
# -wal, -shm and -journal of a database are not listed. Looked up by name, -wal and -shm are empty and -journal is not there
# (fact S6), so that SQLite opens the mounted database and reads what was committed.
. "$(dirname "$0")/../lib.sh"

start_writer "$SRC/app.db" --journal wal --transactions 50 --linger --checkpoint 0
for side in wal shm; do
        [ -s "$SRC/app.db-$side" ] || fail "no -$side: nothing to prove"
done
sql "$SRC/hot.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
"$PYTHON" "$TOOLS/hold-open.py" reserved "$T/held" "$SRC/hot.db" &
OTHERS+=($!)
wait_for 60 test -e "$T/held"
printf 'x' >"$SRC/hot.db-journal"
mount_fs
equal "$(cd "$MNT" && find . -type f | sort | tr '\n' ' ')" './app.db ./hot.db ' "the listing"
equal "$(cd "$MNT" && find . -name '*-*')" '' "side files by find"
for side in wal shm; do
        equal "$(stat -c '%s %F' "$MNT/app.db-$side")" '0 regular empty file' "app.db-$side"
        equal "$(wc -c <"$MNT/app.db-$side")" 0 "what app.db-$side holds"
done
refused 'No such file' stat "$MNT/app.db-journal"
refused 'No such file' stat "$MNT/hot.db-journal"
equal "$(sql "file:$MNT/app.db?mode=ro" 'SELECT seq FROM first; PRAGMA integrity_check')" \
        "$(sql "$SRC/app.db" 'SELECT seq FROM first; PRAGMA integrity_check')" "SQLite on the mount"
stop_writer
unmount_fs
