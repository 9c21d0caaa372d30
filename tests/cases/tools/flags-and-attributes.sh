#!/usr/bin/env bash
# FS_IOC_GETFLAGS answers with the source's flags; xattrs and ACLs of databases are the main file's, whether they are open or not,
# also with a live WAL; what rsync -AX, cp -a and tar --xattrs --acls store has them, and nothing of ours.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo text >"$SRC/file"
sql "$SRC/rest.db" 'CREATE TABLE t(x)'
"$TORTURE_WRITER" --db "$SRC/live.db" --record "$T/record" --transactions 20 --keep-wal --checkpoint 0 >"$T/null"
chattr +d "$SRC/file" "$SRC/live.db" 2>/dev/null || say "no flags on this file system"
setfattr -n user.colour -v blue "$SRC/file" "$SRC/rest.db" "$SRC/live.db" || skip "the file system of $T has no xattrs"
setfacl -m u:1234:rw,g:4321:r "$SRC/file" "$SRC/rest.db" "$SRC/live.db"
setfacl -d -m u:1234:rwx "$SRC/dir"
names=(dir file live.db rest.db)
look() {
        (
                cd "$1"
                # e tells how the bytes lie on disk, which a database's snapshot does not share.
                lsattr -d "${names[@]}" 2>&1 | sed '/\.db$/s/e\(-*\) /-\1 /'
                getfattr -h -d -m - -e hex "${names[@]}"
                getfacl -n "${names[@]}"
        )
}
look "$SRC" >"$T/wanted"
grep -q 'user.colour' "$T/wanted"
mount_fs
for state in closed open; do
        if [ $state = open ]; then
                exec 4<"$MNT/live.db" 5<"$MNT/rest.db"
                head -c 10 <&4 >"$T/null"
                # The open files themselves, not what a new lookup finds.
                for fd in 4 5; do
                        equal "$(getfattr --only-values -n user.colour "/proc/self/fd/$fd")" blue "through an open file"
                        getfacl -n "/proc/self/fd/$fd" 2>/dev/null | grep -q user:1234:rw- || fail "no ACL through an open file"
                done
        fi
        look "$MNT" >"$T/found"
        diff "$T/wanted" "$T/found" || fail "flags or attributes differ while databases are $state"
done
exec 4<&- 5<&-
mkdir "$T/cp" "$T/tar"
rsync -aAX "$MNT/" "$T/rsync/"
cp -a "$MNT/." "$T/cp/"
tar c --xattrs --acls -f "$T/out.tar" -C "$MNT" .
tar x --xattrs --acls -f "$T/out.tar" -C "$T/tar"
grep -v '^[-a-zA-Z]* [a-z]*[.a-z]*$' "$T/wanted" >"$T/wanted.attributes"
for copy in rsync cp tar; do
        look "$T/$copy" | grep -v '^[-a-zA-Z]* [a-z]*[.a-z]*$' >"$T/found"
        diff "$T/wanted.attributes" "$T/found" || fail "what $copy stored differs"
        ! getfattr -R -d -m - "$T/$copy" 2>/dev/null | grep user.litesnapfs || fail "$copy copied attributes of ours"
done
unmount_fs
