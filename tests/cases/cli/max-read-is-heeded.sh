#!/usr/bin/env bash
# -o max_read limits how much the kernel asks for at a time, and what cannot be heeded is refused.
. "$(dirname "$0")/../lib.sh"

head -c 1000000 /dev/urandom >"$SRC/file"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(1000000))'
for limit in 0 4096 65536 1000000; do
        # Not read by the kernel itself, so that each read comes here.
        mount_fs -o "max_read=$limit,passthrough=off"
        if [ $limit != 0 ]; then
                grep -q " $MNT .*max_read=$limit" /proc/self/mountinfo || fail "not in the table of mounts: max_read=$limit"
        fi
        cmp "$SRC/file" "$MNT/file"
        cmp "$SRC/app.db" "$MNT/app.db"
        unmount_fs
done
# Without -f the status must not be 0 when nothing is mounted.
timeout 60 "${AS[@]}" "$LITESNAPFS" -o max_read=65536 "$SRC" "$MNT" || fail "status $?"
is_mounted "$MNT" || fail 'status 0, and nothing is mounted'
DAEMON=$(pgrep -f "litesnapfs .*$MNT" | head -1)
umount "$MNT" 2>"$T/null" || fusermount3 -u "$MNT"
wait_for 60 is_gone "$DAEMON"
DAEMON=
for limit in 64k -1 99999999999; do
        refused max_read "${AS[@]}" "$LITESNAPFS" -o "max_read=$limit" "$SRC" "$MNT"
        is_not_mounted "$MNT" || fail "mounted with max_read=$limit"
done
