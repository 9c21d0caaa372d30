#!/usr/bin/env bash
# / as the source: with one_file_system, or when the mountpoint is on a file system of its own. The mount is an empty
# directory in itself; otherwise a mountpoint inside the source is refused, with a word on what would do.
. "$(dirname "$0")/../lib.sh"

need_root "mirrors /"
sql "$SRC/app.db" "CREATE TABLE t(x); INSERT INTO t VALUES('here')"
whole=$SRC
SRC=/
# Of one file system or of its own, as the machine has it.
look() {
        equal "$(timeout 60 ls -a "$1")" "$(ls -a /)" "the names in /"
        cmp "$1/etc/passwd" /etc/passwd
        if [ "$(stat -c %d "$whole")" = "$(stat -c %d /)" ]; then
                equal "$(sql "$1$whole/app.db" 'SELECT x FROM t')" here "a database"
                timeout 60 rsync -a "$1$T/" "$T.copy/" --exclude=/tmp
                rm -rf "$T.copy"
        fi
}
# The part that is this case's own is walked, the mount in it included.
walk() {
        [ "$(stat -c %d "$T")" = "$(stat -c %d /)" ] || return 0
        equal "$(timeout 60 find "$MNT$MNT" | wc -l)" 1 "the mount in itself"
}
mount_fs -o one_file_system
look "$MNT"
walk
unmount_fs
outside=$MNT
mkdir "$T/tmp"
mount -t tmpfs tmpfs "$T/tmp"
mkdir "$T/tmp/mount"
MNT=$T/tmp/mount
MOUNTS+=("$MNT")
mount_fs
look "$MNT"
equal "$(timeout 60 find "$MNT$MNT" 2>"$T/said" | wc -l)" 1 "the mount in itself"
unmount_fs
umount "$T/tmp"
if [ "$(stat -c %d "$T")" = "$(stat -c %d /)" ]; then
        refused 'one_file_system' "$LITESNAPFS" -f / "$outside"
fi
