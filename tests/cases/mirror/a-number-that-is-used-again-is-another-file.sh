#!/usr/bin/env bash
# File systems give the inode number of a file that has gone to the next one. Nothing that the kernel remembers of the first, a symlink's
# target least of all, is told of the second, and no file handle (NFS) of the first opens it.
. "$(dirname "$0")/../lib.sh"

mount_fs
# ext4 gives the number out again at once; where no file system does, this shows no more than that links are right.
reused=0
ln -s target-0 "$SRC/link"
for round in $(seq 50); do
        equal "$(readlink "$MNT/link")" "target-$((round - 1))" "the link of round $round"
        before=$(stat -c %i "$SRC/link")
        rm "$SRC/link"
        ln -s "target-$round" "$SRC/link"
        if [ "$(stat -c %i "$SRC/link")" = "$before" ]; then reused=$((reused + 1)); fi
        shows() {
                [ "$(readlink "$MNT/link")" = "target-$round" ]
        }
        wait_for 5 shows
done
say "$reused of 50 links had the number of the one before"
if is_root; then
        opened=$("$PYTHON" "$TOOLS/old-handles.py" "$SRC" "$MNT" 200)
        say "$opened of 200 old handles opened another file"
        equal "$opened" 0 "old handles that opened another file"
fi
unmount_fs
