#!/usr/bin/env bash
# Files of proc and sysfs say size 0, or 4096, and have what they have: it is read whole, and only by who reads it, not by a listing.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts proc and sysfs'
mkdir "$SRC/proc" "$SRC/sys"
mount -t proc proc "$SRC/proc" || skip 'no proc can be mounted'
mount -t sysfs sysfs "$SRC/sys" || skip 'no sysfs can be mounted'
: >"$SRC/one"
mount --bind "$SRC/proc/version" "$SRC/one"
: >"$SRC/empty"
# sees NAME COMMAND...: the command, which opens NAME, is noticed.
sees() {
        "${@:2}" >"$T/null"
        grep -qx "$1" "$T/opened"
}
for options in passthrough=auto passthrough=off; do
        mount_fs -o "$options"
        for name in proc/version proc/filesystems one empty sys/class/net/lo/mtu sys/kernel/notes; do
                [ -e "$SRC/$name" ] || continue
                for round in 1 2; do
                        cat "$SRC/$name" >"$T/wanted"
                        cat "$MNT/$name" >"$T/got"
                        cmp "$T/wanted" "$T/got" || fail "$options, $name, read for the ${round}th time"
                done
                cp "$MNT/$name" "$T/got"
                cmp "$T/wanted" "$T/got" || fail "$options, $name, copied"
        done
        # A listing opens none of them.
        inotifywait -q -m -e open --format %f -o "$T/opened" "$SRC/sys/class/net/lo/" &
        OTHERS+=($!)
        wait_for 10 sees mtu cat "$SRC/sys/class/net/lo/mtu"
        : >"$T/opened"
        ls -l "$MNT/sys/class/net/lo/" >"$T/listed"
        wait_for 10 sees ifindex cat "$SRC/sys/class/net/lo/ifindex"
        kill "${OTHERS[-1]}"
        opened=$(grep -vcx -e ifindex -e '' "$T/opened" || true)
        equal "$opened" 0 "files that a listing of $(wc -l <"$T/listed") lines opened"
        unmount_fs
done
umount "$SRC/one" "$SRC/sys" "$SRC/proc"
