#!/usr/bin/env bash
# mount(8) mounts the types litesnapfs and fuse.litesnapfs, with whatever lines of /etc/fstab carry; what means something here is heeded, what
# would be a lie is refused, and remount says what to do instead.
. "$(dirname "$0")/../lib.sh"

need_root 'mount(8)'
[ -n "${CASE_NAMESPACE:-}" ] || skip 'needs a mount namespace of its own'
is_plain || skip 'nothing here depends on the build'
echo text >"$SRC/file"
ln -s file "$SRC/link"
# mount(8) looks for its helpers in /sbin and nowhere else: a /sbin of ours.
mkdir "$T/sbin"
cp /usr/sbin/mount.fuse3 "$T/sbin"
ln -sf "$LITESNAPFS" "$T/sbin/mount.litesnapfs"
ln -sf "$LITESNAPFS" "$T/sbin/mount.fuse.litesnapfs"
mount --bind "$T/sbin" /usr/sbin

unmount_mount() {
        umount "$MNT"
        wait_for 30 none_serves
}
none_serves() {
        ! pgrep -f "$SRC $MNT" >"$T/null"
}
# mounts TYPE OPTIONS
mounts() {
        timeout 60 mount -t "$1" -o "$2" "$SRC" "$MNT" || fail "mount -t $1 -o $2: status $?"
        equal "$(cat "$MNT/file")" text "mount -t $1 -o $2"
        grep -q " $MNT ro[, ].* - fuse.litesnapfs $SRC ro," /proc/self/mountinfo || fail "-o $2: $(grep " $MNT " /proc/self/mountinfo)"
}
for type in litesnapfs fuse.litesnapfs; do
        mounts $type "snapshot_dir=$SNAP,linger=3"
        refused 'already' mount -t $type "$SRC" "$MNT"
        refused 'unmount it' mount -o remount,max_space=1G "$MNT"
        unmount_mount
done
# All that a line of fstab has for others, or for file systems that are written to.
generic='defaults ro rw noauto,user,nofail _netdev,nofail users,owner,group x-systemd.automount,x-systemd.requires=/srv X-mount.mkdir
        nosuid,nodev,noexec suid,dev,exec atime noatime,nodiratime relatime norelatime strictatime nostrictatime diratime lazytime nolazytime
        sync,dirsync async iversion noiversion mand nomand silent loud nonempty big_writes kernel_cache comment=backup allow_other
        auto_unmount max_read=65536 helper=fuse.litesnapfs symfollow'
for options in $generic; do
        mounts litesnapfs "$options"
        unmount_mount
done
mounts litesnapfs nosymfollow
refused 'symbolic links' cat "$MNT/link"
unmount_mount
mounts litesnapfs noexec,nodev
grep -q " $MNT [^ ]*nodev,noexec" /proc/self/mountinfo || fail "noexec: $(grep " $MNT " /proc/self/mountinfo)"
unmount_mount
for options in uid=1000 gid=1000 umask=022 nonsense; do
        refused unknown mount -t litesnapfs -o "$options" "$SRC" "$MNT"
done
# No line of the table changes anything with -f, which is for show.
mount -f -t litesnapfs "$SRC" "$MNT"
is_not_mounted "$MNT" || fail 'mount -f mounted'

printf '%s %s litesnapfs noauto,nofail,user,x-systemd.requires-mounts-for=%s,linger=5 0 0\n' "$SRC" "$MNT" "$SRC" >"$T/fstab"
mount --bind "$T/fstab" /etc/fstab
mount "$MNT"
equal "$(cat "$MNT/file")" text 'by the line of fstab'
unmount_mount
# Another user, and none of root's rights: by libfuse's helper.
mkdir "$T/bin"
cp "$LITESNAPFS" "$T/bin/litesnapfs"
mount --bind "$T/bin" /usr/local/bin
mount -t fuse.litesnapfs -o drop_privileges,default_permissions "$SRC" "$MNT"
equal "$(cat "$MNT/file")" text 'with drop_privileges'
DAEMON=$(pgrep -f "litesnapfs .*$SRC" | head -1)
equal "$(awk '/^CapEff/ { print $2 }' "/proc/$DAEMON/status")" 0000000000000000 'capabilities'
umount "$MNT"
wait_for 60 is_gone "$DAEMON"
DAEMON=
