# Two nested file systems whose inode numbers are equal, and a tree in each of them. Sourced after lib.sh.
# shellcheck shell=bash

need_root "mounts file systems"

# make_nested tmpfs|ext4 NAME...: file systems at $SRC/NAME, alike to the inode number.
make_nested() {
        local kind=$1 name
        shift
        for name in "$@"; do
                mkdir -p "$SRC/$name"
                if [ "$kind" = tmpfs ]; then
                        mount -t tmpfs tmpfs "$SRC/$name" || skip "no tmpfs can be mounted"
                else
                        truncate -s 16M "$T/$name.image"
                        mkfs.ext4 -q -F "$T/$name.image"
                        mount -o loop "$T/$name.image" "$SRC/$name" 2>/dev/null || skip "no image can be mounted"
                fi
                mkdir "$SRC/$name/dir"
                echo "pair of $name" >"$SRC/$name/first"
                ln "$SRC/$name/first" "$SRC/$name/dir/second"
                echo "other pair of $name" >"$SRC/$name/third"
                ln "$SRC/$name/third" "$SRC/$name/dir/fourth"
                sql "$SRC/$name/app.db" "CREATE TABLE t(x); INSERT INTO t VALUES('$name')"
                ln "$SRC/$name/app.db" "$SRC/$name/dir/also.db"
        done
}

unmount_nested() {
        local name
        for name in "$@"; do
                umount "$SRC/$name"
        done
}
