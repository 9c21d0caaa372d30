#!/usr/bin/env bash
# When somebody cuts the connection to the kernel (abort in /sys/fs/fuse/connections, umount -f of a mount in use), the daemon says so, takes
# the dead mount away, and ends with a status other than 0, on which a service manager starts it again. An unmount is the
# orderly end, also a lazy one and with umount -f.
# Usage: a-cut-connection-is-an-error.sh root|user
. "$(dirname "$0")/../lib.sh"

need_root 'cuts connections'
[ -n "${CASE_NAMESPACE:-}" ] || skip 'needs a mount namespace of its own'
[ "$1" = root ] || mount_as_user
mkdir "$T/control"
mount -t fusectl none "$T/control"
MOUNTS+=("$T/control")
echo text >"$SRC/file"

# ends_badly WHAT: by itself, with a line, and the mount is gone.
ends_badly() {
        local status=0
        wait_for 60 is_gone "$DAEMON"
        wait "$DAEMON" || status=$?
        DAEMON=
        equal "$status" 1 "status after $1"
        logged 1 "cut.*'$MNT'"
        is_not_mounted "$MNT" || fail "a dead mount is left after $1"
        no_reports
        : >"$LOG"
}

mount_fs
device=$(awk -v mount="$MNT" '$5 == mount { print $3 }' /proc/self/mountinfo)
echo 1 >"$T/control/${device#*:}/abort"
ends_badly 'an abort'

mount_fs
if [ "$1" = root ]; then
        exec 5<"$MNT/file"
        # Busy: the mount stays, the connection does not.
        umount -f "$MNT" 2>"$T/null" && fail 'umount -f of a busy mount'
        ends_badly 'umount -f'
        exec 5<&-
        # And at once again, at the same place.
        mount_fs
        equal "$(cat "$MNT/file")" text 'after the restart'
        umount -f "$MNT"
else
        as_user fusermount3 -u -z "$MNT"
fi
status=0
wait_for 60 is_gone "$DAEMON"
wait "$DAEMON" || status=$?
DAEMON=
equal "$status" 0 'status after an orderly unmount'
logged 0 cut
