#!/usr/bin/env bash
# The mount shows up inside its own source after the start: whole, a directory of it, a file of it, and through an
# overlay. A walk is finite and finds no error but for the file, which is refused; all else is served, and SIGTERM
# ends the daemon.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
mkdir -p "$SRC/jail/mnt" "$SRC/jail/part" "$SRC/jail/merged" "$SRC/dir"
echo text >"$SRC/dir/file"
touch "$SRC/jail/alone"
sql "$SRC/dir/app.db" 'CREATE TABLE t(x)'
list() {
        (cd "$MNT" && timeout 60 find . -printf '%P %y\n' | sort)
}
mount_fs
list >"$T/before"
# With all that is mounted below the mount, and it is shared with it.
mount --rbind "$MNT" "$SRC/jail/mnt"
mount --bind "$MNT/dir" "$SRC/jail/part"
equal "$(list)" "$(cat "$T/before")" "a walk of the mount"
refused 'No such file' cat "$MNT/jail/mnt/dir/file"
equal "$(timeout 20 stat -c '%F %h' "$MNT/jail/mnt")" 'directory 2' "what stands in the place of the mount"
timeout 60 tar cf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "tar: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "tar said $(cat "$T/said")"
timeout 60 rsync -aHAX "$MNT/" "$T/copy/"
equal "$(stat -c %i "$MNT" "$MNT/jail/mnt" "$MNT/jail/part" | sort -u | wc -l)" 3 "inode numbers"
# Many at once: each would hold a thread of ours that waits for another.
for i in $(seq 40); do
        start_job "walk$i" timeout 60 find "$MNT" "$SRC/jail/mnt" -name file
done
for i in $(seq 40); do
        finish_job "walk$i" 60
done
mount --bind "$MNT/dir/file" "$SRC/jail/alone"
refused 'Too many levels' cat "$MNT/jail/alone"
equal "$(cat "$MNT/dir/file")" text "a file"
umount "$SRC/jail/alone" "$SRC/jail/part"
umount -l "$SRC/jail/mnt"

# An overlay has a device of its own, and asks for the mount as anybody does: its second self is left out.
mkdir "$T/upper"
mount -t tmpfs tmpfs "$T/upper"
mkdir "$T/upper/u" "$T/upper/w"
if mount -t overlay overlay -o "lowerdir=$MNT,upperdir=$T/upper/u,workdir=$T/upper/w" "$SRC/jail/merged"; then
        # The kernel may have looked at the empty directory a moment ago.
        wait_for 10 test -e "$MNT/jail/merged/dir/file"
        for i in 1 2; do
                timeout 60 find "$MNT" >"$T/found" || fail "walk $i was not finite"
                [ "$(wc -l <"$T/found")" -lt 100 ] || fail "walk $i found $(wc -l <"$T/found") names"
        done
        logged 1 'jail/merged' 'shown as an empty directory'
        still_serves
        umount -l "$SRC/jail/merged"
fi
mount --bind "$MNT" "$SRC/jail/mnt"
kill -TERM "$DAEMON"
wait_for 20 is_gone "$DAEMON"
wait "$DAEMON" || fail "the daemon ended with status $?"
DAEMON=
umount "$SRC/jail/mnt" 2>"$T/said" || true
umount "$T/upper"
no_reports
