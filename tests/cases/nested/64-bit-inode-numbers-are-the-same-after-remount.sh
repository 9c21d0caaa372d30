#!/usr/bin/env bash
# Inode numbers of a file system that uses all 64 bits are the same after a remount, in whatever order files are
# looked at, as the source and inside it, and none is given twice.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
SERVERS=()
serve() {
        "$WIDE_INODES" "$1" "$2" "$3" &
        SERVERS+=($!)
        OTHERS+=($!)
        wait_for 20 is_mounted "$3"
        MOUNTS+=("$3")
}
look() {
        find "$1" -printf '%i %P\n' | sort -k2
}
check() {
        mount_fs
        look "$1" >"$T/first"
        unmount_fs
        mount_fs
        find "$1/7" "$1/3" >"$T/null"
        look "$1" >"$T/second"
        unmount_fs
        cmp "$T/first" "$T/second"
        equal "$(cut -d' ' -f1 "$T/first" | sort | uniq -d | wc -l)" 0 "numbers given twice"
}
serve 20 500 "$SRC"
check "$MNT"
# shellcheck disable=SC2016 # for awk
low='$1 < 9223372036854775808 && n++ < 100 { print $1 }'
equal "$(awk "$low" "$T/first")" "$(look "$SRC" | awk "$low")" "numbers that need no change"
umount "$SRC"
wait "${SERVERS[-1]}" || true
mkdir "$SRC/one" "$SRC/two"
serve 20 500 "$SRC/one"
check "$MNT/one"
# The same numbers once more, on another file system.
serve 20 500 "$SRC/two"
mount_fs
equal "$(find "$MNT" -printf '%i\n' | sort | uniq -d | wc -l)" 0 "numbers that files of two file systems share"
unmount_fs
umount "$SRC/one" "$SRC/two"
