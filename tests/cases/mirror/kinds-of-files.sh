#!/usr/bin/env bash
# P8: symlinks (relative, absolute, dangling, long), hard links, fifos, sockets and device nodes are what they are in the
# source, with mode, owner and times; a device or fifo in the mount is never opened by us.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir" "$SRC/private"
echo text >"$SRC/file"
chmod 4750 "$SRC/file"
ln "$SRC/file" "$SRC/dir/hard"
ln -s file "$SRC/relative"
ln -s /nowhere/at/all "$SRC/dangling"
ln -s ../file "$SRC/dir/up"
ln -s "$(printf 'x%.0s' $(seq 4000))" "$SRC/long"
mkfifo -m 640 "$SRC/fifo"
"$PYTHON" -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$SRC/socket"
chmod 1777 "$SRC/dir"
chmod 700 "$SRC/private"
touch -h -d '1999-12-31 23:59:59.123456789' "$SRC/relative" "$SRC/dir"
touch -d '1960-01-01 00:00:00.5' "$SRC/file"
if is_root; then
        mknod "$SRC/null" c 1 3
        mknod -m 600 "$SRC/block" b 7 200
        chown 1234:4321 "$SRC/fifo"
        chown -h 77:88 "$SRC/relative"
fi
list() {
        find "$1" -mindepth 1 -printf '%P|%y|%m|%U:%G|%n|%T@|%C@|%l|' -exec stat -c '%t:%T' {} \; | sort
}
# A directory's size is the source's; a fifo's or socket's too. Only where a thing lives differs.
fingerprint "$SRC" >"$T/before"
mount_fs
diff <(list "$SRC") <(list "$MNT") || fail "the mirror differs"
# One inode for both names of a hard link, so that tar and rsync -H keep it one file.
equal "$(stat -c %i "$MNT/file")" "$(stat -c %i "$MNT/dir/hard")" "inode of a hard link"
equal "$(cat "$MNT/dir/up")" text "through a symlink"
equal "$(readlink "$MNT/long" | wc -c)" 4001 "a long symlink"
if is_root && [ "$(stat -c %t:%T "$MNT/null")" = 1:3 ]; then
        refused 'Permission denied' cat "$MNT/null" # mounted nodev, or by an ordinary user
fi
unmount_fs
fingerprint "$SRC" >"$T/after"
diff "$T/before" "$T/after" || fail "the source changed"
