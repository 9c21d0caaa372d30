#!/usr/bin/env bash
# P5, T3: a snapshot that does not fit, by max_space or for want of room in snapshot_dir, is ENOSPC at open, never a short
# file; one log line; smaller ones go on, and room that was given back can be had again.
. "$(dirname "$0")/../lib.sh"

for size in 100000 3000000 30000000; do
        sql "$SRC/$size.db" "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob($size))"
done
check() {
        refused 'No space left' cat "$MNT/30000000.db"
        logged "$1" 30000000.db 'space|max_space'
        for size in 100000 3000000 100000; do
                equal "$(sha "$MNT/$size.db")" "$(sha "$SRC/$size.db")" "the one of $size bytes"
        done
        still_serves
}
mount_fs -o max_space=8M,engine=backup
check 1
unmount_fs
if is_root; then
        : >"$LOG"
        mount -t tmpfs -o size=8M,mode=700 none "$SNAP"
        mount_fs -o engine=backup
        check 1
        # Nothing of the failed one stays.
        equal "$(find "$SNAP" -mindepth 1 | wc -l)" 0 "names in snapshot_dir"
        unmount_fs
        umount "$SNAP"
fi
