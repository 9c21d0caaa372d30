#!/usr/bin/env bash
# P7: snapshots have no name on disk, not while they are made and not while they are read, and are private (0600); their
# space comes back when the last reader has left; a daemon killed with -9 leaves neither files nor locks, and after an umount
# the next mount works.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts a tmpfs, looks into the daemon'
mount -t tmpfs -o size=1G,mode=700 none "$SNAP"
start_writer "$SRC/app.db" --journal wal --size 3M
sql "$SRC/idle.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(100000000))'
cp "$SRC/idle.db" "$SRC/left.db"
# What the kernel reads by itself it holds until the dead mount is taken away.
mount_fs -o engine=backup,passthrough=off

# While copies run and files are held open, snapshot_dir never shows a name.
"$PYTHON" "$TOOLS/watch-directory.py" "$SNAP" "$T/watching" >"$T/seen" &
watcher=$!
OTHERS+=("$watcher")
wait_for 60 test -e "$T/watching"
torture_reader --path "$MNT/app.db" --snapshots "$(scaled 40)"
exec 5<"$MNT/app.db" 6<"$MNT/idle.db"
equal "$(find "$SNAP" -mindepth 1)" '' "names in snapshot_dir"
[ "$(find "/proc/$DAEMON/fd" -lname "$SNAP/*" | wc -l)" -ge 2 ] || fail "where are the snapshots?"
find "/proc/$DAEMON/fd" -lname "$SNAP/*" -exec stat -L -c '%a %h' {} + | sort -u >"$T/modes"
equal "$(cat "$T/modes")" '600 0' "mode and links of the snapshots"
used() {
        df --output=used -B1 "$SNAP" | tail -1
}
[ "$(used)" -gt 100000000 ] || fail "an open snapshot holds only $(used) bytes"
stop_writer
exec 5<&- 6<&-
is_back() {
        [ "$(used)" -lt 1000000 ]
}
wait_for 60 is_back
kill "$watcher"
wait "$watcher" || true
equal "$(cat "$T/seen")" '' "names that snapshot_dir showed"

# Killed in mid-copy and with files open. A zombie holds nothing, so there is nothing to wait for but its end.
exec 5<"$MNT/idle.db"
start_job copy cat "$MNT/left.db"
kill -KILL "$DAEMON"
wait "$DAEMON" || true
exec 5<&-
wait_for 60 test -e "$T/copy.status"
refused 'Transport endpoint is not connected' stat "$MNT/idle.db"
equal "$(find "$SNAP" -mindepth 1)" '' "names after kill -9"
wait_for 60 is_back
for db in app idle left; do
        inode=$(stat -c %i "$SRC/$db.db")
        if grep -E ":$inode " /proc/locks; then fail "locks are left on $db.db"; fi
done
umount "$MNT"
mount_fs
cmp "$SRC/idle.db" "$MNT/idle.db"
unmount_fs
umount "$SNAP"
