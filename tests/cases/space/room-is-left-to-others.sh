#!/usr/bin/env bash
# Without max_space the file system of snapshot_dir is not filled to the last block: a twentieth of it is left to others, and what does not
# fit beside that is refused at open, with a line. max_space says otherwise where it is wanted.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts a tmpfs'
for n in 1 2; do sql "$SRC/$n.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(9500000))'; done
mount -t tmpfs -o mode=700,size=19M none "$SNAP"
mount_fs -o linger=0,engine=backup
exec 5<"$MNT/1.db"
refused 'No space left' cat "$MNT/2.db"
logged 1 2.db 'left to others'
[ "$(df --output=avail -B1 "$SNAP" | tail -1)" -gt 1000000 ] || fail 'nothing is left to others'
exec 5<&-
unmount_fs
mount_fs -o linger=0,engine=backup,max_space=19M
exec 5<"$MNT/1.db"
equal "$(sha "$MNT/2.db")" "$(sha "$SRC/2.db")" 'the second, where max_space allows it'
exec 5<&-
unmount_fs
umount "$SNAP"
