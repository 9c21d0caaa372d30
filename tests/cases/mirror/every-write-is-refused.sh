#!/usr/bin/env bash
# The mount is read-only: whatever would change something, content, name or attribute, of a file or of a database, is
# refused with EROFS, and nothing changed.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo text >"$SRC/file"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
ln -s file "$SRC/link"
chmod -R a+rwX "$SRC"
fingerprint "$SRC" >"$T/before"
mount_fs
no='Read-only file system'
for name in file app.db; do
        refused "$no" bash -c "echo x >>'$MNT/$name'"
        refused "$no" truncate -s 0 "$MNT/$name"
        refused "$no" chmod 600 "$MNT/$name"
        refused "$no" touch "$MNT/$name"
        refused "$no" touch -a "$MNT/$name"
        refused "$no" rm -f "$MNT/$name"
        refused "$no" mv -T "$MNT/$name" "$MNT/other"
        refused "$no" ln "$MNT/$name" "$MNT/other"
        refused "$no" setfattr -n user.a -v b "$MNT/$name"
        refused "$no" "$PYTHON" -c 'import os,sys; os.open(sys.argv[1], os.O_RDWR)' "$MNT/$name"
        refused "$no" "$PYTHON" -c 'import os,sys; os.open(sys.argv[1], os.O_RDONLY|os.O_TRUNC)' "$MNT/$name"
        refused "$no" fallocate -l 1M "$MNT/$name"
done
refused "$no" bash -c "echo x >'$MNT/new'"
refused "$no" touch "$MNT/app.db-wal-new"
refused "$no" bash -c "echo x >'$MNT/app.db-journal'"
refused "$no" mkdir "$MNT/new"
refused "$no" rmdir "$MNT/dir"
refused "$no" ln -s a "$MNT/new"
refused "$no" mkfifo "$MNT/new"
refused "$no" touch -h "$MNT/link"
refused "$no" chmod 700 "$MNT/dir"
if is_root; then
        refused "$no" chown 1 "$MNT/file"
        refused "$no" mknod "$MNT/new" c 1 3
fi
unmount_fs
fingerprint "$SRC" >"$T/after"
diff "$T/before" "$T/after" || fail "the source changed"
