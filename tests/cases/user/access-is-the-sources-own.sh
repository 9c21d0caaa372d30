#!/usr/bin/env bash
# P9: a mount by root is open to all, and each may read just what he may read in the source: files, directories, databases.
. "$(dirname "$0")/../lib.sh"

need_root 'acts as two users'
mkdir -m 700 "$SRC/private"
echo secret >"$SRC/private/file"
echo open >"$SRC/open"
echo secret >"$SRC/secret"
chmod 600 "$SRC/secret"
for name in open secret group; do sql "$SRC/$name.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'; done
chmod 600 "$SRC/secret.db"
chown 0:65534 "$SRC/group.db"
chmod 640 "$SRC/group.db"
cp "$SRC/secret" "$SRC/acl"
setfacl -m u:65534:r "$SRC/acl"
mount_fs
equal "$(as_user cat "$MNT/open")" open "an open file"
equal "$(as_user cat "$MNT/acl")" secret "a file that an ACL opens to him"
for name in open.db group.db; do
        equal "$(as_user sha256sum "$MNT/$name" | cut -d' ' -f1)" "$(sha "$SRC/$name")" "$name"
done
for name in secret secret.db private/file; do
        refused 'Permission denied' as_user cat "$MNT/$name"
        cmp "$SRC/$name" "$MNT/$name"
done
refused 'Permission denied' as_user ls "$MNT/private"
# After root has opened it the user still may not.
exec 5<"$MNT/secret.db"
refused 'Permission denied' as_user cat "$MNT/secret.db"
exec 5<&-
as_user test -r "$MNT/open.db" || fail "access() says no"
if as_user test -r "$MNT/secret.db"; then fail "access() says yes"; fi
unmount_fs
