#!/usr/bin/env bash
# Promises 8 and 9: an ACL that is asked for when its file has lost its name is no "there is none", by which the kernel would let the
# group in; trusted.* is shown to whom the source shows it, and to nobody else.
. "$(dirname "$0")/../lib.sh"

need_root 'acts as two users'
sql "$SRC/app.db" 'CREATE TABLE t(x)'
seq 1 2000 >"$SRC/file"
ln -s file "$SRC/link"
setfacl -m u:12345:r "$SRC/app.db" "$SRC/file"
for name in app.db file link; do setfattr -h -n trusted.kept -v secret "$SRC/$name"; done
setfattr -n user.shown -v open "$SRC/app.db"
mount_fs

asked_when_gone() { # NAME: the errno of asking for the ACL of a file that has lost its name
        "$PYTHON" -c '
import errno, os, sys
source, mount, name = sys.argv[1:]
path = os.open(f"{mount}/{name}", os.O_PATH)
os.rename(f"{source}/{name}", f"{source}/gone")
try:
    print(len(os.getxattr(f"/proc/self/fd/{path}", "system.posix_acl_access")))
except OSError as error:
    print(errno.errorcode[error.errno])
os.rename(f"{source}/gone", f"{source}/{name}")
' "$SRC" "$MNT" "$1"
}
for name in app.db file; do
        equal "$(getfacl -cpE "$MNT/$name")" "$(getfacl -cpE "$SRC/$name")" "the ACL of $name"
        answer=$(asked_when_gone "$name")
        # The kernel may remember the 44 bytes.
        case $name$answer in
        app.dbESTALE | fileESTALE | file44) ;;
        *) fail "the ACL of $name that is gone: $answer" ;;
        esac
done

for name in app.db file link; do
        equal "$(getfattr -hd -m - "$MNT/$name" | grep -c trusted.kept)" 1 "trusted.* of $name to root"
        equal "$(getfattr -h --only-values -n trusted.kept "$MNT/$name")" secret "its value"
        if as_user getfattr -hd -m - "$MNT/$name" | grep trusted; then fail "trusted.* of $name is listed to a user"; fi
        if as_user getfattr -h -n trusted.kept "$MNT/$name"; then fail "trusted.* of $name is given to a user"; fi
done
as_user getfattr -d -m - "$MNT/app.db" | grep -q user.shown || fail "what a user may see is not listed"
# root without the capability sees what it would see in the source: none.
if setpriv --bounding-set -sys_admin --inh-caps -sys_admin getfattr -d -m - "$MNT/file" | grep trusted; then
        fail "trusted.* is listed to root without CAP_SYS_ADMIN"
fi
unmount_fs
