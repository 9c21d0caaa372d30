#!/usr/bin/env bash
# A second start at the same mountpoint is refused with a message, and the first goes on; a mount whose daemon was killed is
# taken away by the next start, which then serves, without anything stacked. Something else that is mounted there is no obstacle.
# Usage: one-mount-at-one-place.sh root|user
. "$(dirname "$0")/../lib.sh"

if [ "$1" = user ]; then
        need_root 'becomes an ordinary user by itself'
        mount_as_user
fi
# So that a blank and a backslash in the mountpoint are not in the way.
MNT="$T/a mo\\unt"
mkdir "$MNT"
[ "$1" = root ] || chown 65534:65534 "$MNT"
MOUNTS=("$MNT")
echo text >"$SRC/file"
mounts() {
        grep -Fc "$T/a\\040mo\\134unt " /proc/self/mountinfo || true
}
is_mounted() {
        [ "$(mounts)" != 0 ]
}

mount_fs
for mode in '' -f; do
        status=0
        # shellcheck disable=SC2086 # no argument, or one
        said=$("${AS[@]}" "$LITESNAPFS" $mode "$SRC" "$MNT" 2>&1) || status=$?
        equal "$status" 1 "status of the second start"
        grep -q "serves at '.*unt' already" <<<"$said" || fail "the second start said: $said"
        equal "$(mounts)" 1 'mounts at the place'
        equal "$(as_user cat "$MNT/file")" text 'the first'
done
kill -KILL "$DAEMON"
wait "$DAEMON" || true
equal "$(mounts)" 1 'the dead mount'
refused 'not connected' as_user ls "$MNT"
# mount_fs would take the dead mount for a new one.
"${AS[@]}" "$LITESNAPFS" -f -o "snapshot_dir=$SNAP" "$SRC" "$MNT" >>"$LOG" 2>&1 &
DAEMON=$!
wait_for 30 as_user test -e "$MNT/file"
equal "$(as_user cat "$MNT/file")" text 'over the dead mount'
equal "$(mounts)" 1 'mounts at the place after the restart'
logged 1 "took away the mount of a litesnapfs that is dead"
if [ "$1" = root ]; then unmount_fs; else unmount_as_user; fi
if [ "$1" = root ] && is_root && [ -n "${CASE_NAMESPACE:-}" ]; then
        mount -t tmpfs none "$MNT"
        "${AS[@]}" "$LITESNAPFS" -f "$SRC" "$MNT" >>"$LOG" 2>&1 &
        DAEMON=$!
        wait_for 30 test -e "$MNT/file"
        equal "$(mounts)" 2 'mounts at the place, over a tmpfs'
        kill -TERM "$DAEMON"
        wait "$DAEMON"
        DAEMON=
        equal "$(mounts)" 1 'the tmpfs'
        umount "$MNT"
fi
