# A file system of our own in a loop mount, for the cases of reflinks. Sourced after ../lib.sh.
# shellcheck shell=bash

DISK=$T/disk

# case_end can only remove what is not mounted any more.
disk_end() {
        local status=$?
        trap - ERR
        set +e
        umount -l "$DISK" 2>/dev/null
        (exit "$status")
        case_end
}

# make_disk xfs|btrfs: an empty one at $DISK.
make_disk() {
        need_root 'makes a loop mount'
        command -v "mkfs.$1" >"$T/null" || skip "there is no mkfs.$1 here"
        grep -qw "$1" /proc/filesystems || modprobe "$1" 2>"$T/null" || skip "this kernel has no $1"
        truncate -s 3G "$T/image"
        "mkfs.$1" "$T/image" >"$T/null" 2>&1
        mkdir "$DISK"
        mount -o loop "$T/image" "$DISK" || skip 'no loop mounts here'
        trap disk_end EXIT
        SRC=$DISK/source
        mkdir "$SRC" "$DISK/snapshots"
}

# engine_of FILE: which engine made the snapshot that an open gets now.
engine_of() {
        "$PYTHON" -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.pread(fd, 1, 0)
print(os.getxattr(fd, "user.litesnapfs.engine").decode())' "$1"
}
