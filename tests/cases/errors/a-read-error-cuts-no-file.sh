#!/usr/bin/env bash
# Promise 5: a block of an ordinary file that cannot be read is an error to whoever copies the file, also behind good blocks that are in
# memory; what a reader gets is never a shorter file with status 0.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts file systems'
blocks=8192 bad=5000
mkdir "$SRC/disk"
truncate -s 64M "$T/image"
mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0 "$T/image"
mount -o loop "$T/image" "$SRC/disk" 2>/dev/null || skip 'no image can be mounted'
head -c $((blocks * 4096)) /dev/urandom >"$SRC/disk/file"
umount "$SRC/disk"
mount -o loop "$T/image" "$SRC/disk"
# Where the bad block lies on the disk, which ends there then. What is in memory of the disk must not help.
at=$(filefrag -b4096 -v "$SRC/disk/file" | awk -F'[ .:]+' -v bad=$bad \
        '/^ *[0-9]+:/ && $3 <= bad && bad <= $4 { print $5 + bad - $3; exit }')
[ -n "$at" ] || skip 'it cannot be told where a file lies'
truncate -s $((at * 4096)) "$T/image"

# The good blocks in front of it are in memory: a splice finds these and then the error.
warm() {
        "$PYTHON" -c '
import os, sys
fd, bad = os.open(sys.argv[1], os.O_RDONLY), int(sys.argv[2])
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
for block in range(bad - 60, bad - 5):
    os.pread(fd, 4096, block * 4096)
' "$SRC/disk/file" $bad
}
for options in passthrough=auto passthrough=off; do
        mount_fs -o "$options"
        warm
        for tool in cp cat dd; do
                status=0
                case $tool in
                cp) cp "$MNT/disk/file" "$T/copy" 2>"$T/said" || status=$? ;;
                cat) cat "$MNT/disk/file" >"$T/copy" 2>"$T/said" || status=$? ;;
                dd) dd if="$MNT/disk/file" of="$T/copy" bs=1M 2>"$T/said" || status=$? ;;
                esac
                say "$options, $tool: status $status, $(stat -c %s "$T/copy") bytes: $(tail -1 "$T/said")"
                [ $status != 0 ] || fail "$tool copied $(stat -c %s "$T/copy") of $((blocks * 4096)) bytes with status 0"
        done
        # The blocks before it can be read.
        head -c $(((bad - 100) * 4096)) "$MNT/disk/file" | cmp - <(head -c $(((bad - 100) * 4096)) "$SRC/disk/file")
        unmount_fs
done
umount "$SRC/disk"
