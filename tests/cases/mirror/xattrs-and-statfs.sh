#!/usr/bin/env bash
# P8, T7: extended attributes and ACLs are those of the source, absent ones are ENODATA; statfs is the source's.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo text >"$SRC/file"
echo text >"$SRC/bare"
sql "$SRC/app.db" 'CREATE TABLE t(x)'
setfattr -n user.plain -v value "$SRC/file" || skip "the file system of $T has no xattrs"
setfattr -n user.binary -v 0x00ff0a00 "$SRC/file"
setfattr -n user.empty "$SRC/file"
setfattr -n user.big -v "$(printf 'v%.0s' $(seq 2000))" "$SRC/dir"
setfattr -n user.database -v here "$SRC/app.db"
setfacl -m u:1234:rw,g:4321:r "$SRC/file" "$SRC/app.db"
setfacl -d -m u:1234:rwx "$SRC/dir"
if is_root; then setfattr -n trusted.secret -v hidden "$SRC/file"; fi
mount_fs
dump() {
        (cd "$1" && getfattr -h -d -m - -e hex file bare dir app.db | sort)
}
diff <(dump "$SRC") <(dump "$MNT") || fail "xattrs differ"
diff <(cd "$SRC" && getfacl -n file dir app.db) <(cd "$MNT" && getfacl -n file dir app.db) || fail "ACLs differ"
refused 'No such attribute' getfattr -n user.absent "$MNT/file"
refused 'No such attribute' getfattr -n user.absent "$MNT/app.db"
"$PYTHON" - "$SRC" "$MNT" <<'P'
import os, sys
a, b = os.statvfs(sys.argv[1]), os.statvfs(sys.argv[2])
for field in ("f_bsize", "f_frsize", "f_blocks", "f_files", "f_namemax"):
    assert getattr(a, field) == getattr(b, field), (field, a, b)
assert b.f_flag & os.ST_RDONLY
P
unmount_fs
