#!/usr/bin/env bash
# T2: inode numbers of ordinary files, directories and databases are the same after a remount, after kill -9 of the daemon, in
# whatever order they are looked at, and when nested file systems with an identity on disk were unmounted in between.
# Usage: inodes-are-the-same-after-remount.sh tmpfs|ext4
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib-nested.sh"

make_nested "$1" one two
mkdir "$SRC/plain"
echo text >"$SRC/plain/file"
ln -s file "$SRC/plain/link"
sql "$SRC/app.db" 'PRAGMA journal_mode=wal; CREATE TABLE t(x)' >"$T/null"
look() {
        (cd "$MNT" && find . -depth -printf '%i %y %P\n' | sort -k3)
}
# Other names first, so that numbers given out by order would differ.
look_otherwise() {
        stat "$MNT/two/dir/second" "$MNT/one/dir" "$MNT/app.db" >"$T/null"
        cat "$MNT/two/app.db" >"$T/null"
        look
}
mount_fs
look >"$T/first"
equal "$(stat -c %i "$MNT" "$MNT/plain/file" "$MNT/app.db")" "$(stat -c %i "$SRC" "$SRC/plain/file" "$SRC/app.db")" "the source's numbers"
"$PYTHON" - "$MNT" <<'P'
import os, sys
for at, directories, files in os.walk(sys.argv[1]):
    for entry in os.scandir(at):
        assert entry.inode() == os.lstat(entry.path).st_ino, f"{entry.path} is listed as {entry.inode()}"
P
equal "$(look_otherwise)" "$(cat "$T/first")" "while it is mounted"
unmount_fs
mount_fs
equal "$(look_otherwise)" "$(cat "$T/first")" "after a remount"
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null || true
umount -l "$MNT"
mount_fs
equal "$(look_otherwise)" "$(cat "$T/first")" "after kill -9"
unmount_fs
if [ "$1" = ext4 ]; then
        # As after a reboot: the devices may come in another order, and get other numbers.
        umount "$SRC/one" "$SRC/two"
        mount -o loop "$T/two.image" "$SRC/two"
        mount -o loop "$T/one.image" "$SRC/one"
        mount_fs
        equal "$(look_otherwise)" "$(cat "$T/first")" "after the nested file systems were mounted again"
        unmount_fs
fi
unmount_nested one two
