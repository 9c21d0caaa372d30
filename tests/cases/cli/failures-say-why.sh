#!/usr/bin/env bash
# What cannot be mounted is refused with a message that names the culprit and an exit status other than 0, with -f and
# without, and nothing is mounted or left running.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/inside" "$MNT/inside"
echo text >"$T/file"
ln -s "$SRC" "$T/link"

# cannot PATTERN ARGUMENT...
cannot() {
        local pattern=$1 mode status said
        shift
        for mode in '' -f; do
                status=0
                # shellcheck disable=SC2086 # no argument, or one
                said=$(timeout 30 "${AS[@]}" "$LITESNAPFS" $mode "$@" 2>&1 >"$T/null" </dev/null) || status=$?
                [ $status != 0 ] || fail "was mounted: $mode $*"
                [ $status -lt 124 ] || fail "status $status: $mode $* said '$said'"
                grep -Eqi -- "$pattern" <<<"$said" || fail "said '$said', not '$pattern': $mode $*"
                if grep -q " $T/.* - fuse" /proc/self/mountinfo; then fail "something is mounted: $mode $*"; fi
        done
}
cannot 'nowhere.*No such file' "$T/nowhere" "$MNT"
cannot 'file.*Not a directory' "$T/file" "$MNT"
cannot 'nowhere.*No such file' "$SRC" "$T/nowhere"
cannot 'file.*Not a directory' "$SRC" "$T/file"
cannot 'inside' "$SRC" "$SRC/inside"
cannot 'inside' "$T/link" "$SRC/inside"
cannot 'inside' "$SRC/inside" "$SRC"
cannot 'inside|same' "$SRC" "$SRC"
cannot 'inside|same' "$SRC" "$T/link"
cannot 'nowhere.*No such file' -o "snapshot_dir=$T/nowhere" "$SRC" "$MNT"
cannot 'file.*Not a directory' -o "snapshot_dir=$T/file" "$SRC" "$MNT"
cannot 'nonsense' -o nonsense "$SRC" "$MNT"
cannot 'nonsense' --nonsense "$SRC" "$MNT"
cannot 'busy_timeout' -o busy_timeout=soon "$SRC" "$MNT"
cannot 'busy_timeout' -o busy_timeout=-1 "$SRC" "$MNT"
cannot 'max_space' -o max_space=lots "$SRC" "$MNT"
cannot 'max_space' -o max_space=1.5 "$SRC" "$MNT"
cannot 'max_space' -o max_space=0.1B "$SRC" "$MNT"
cannot 'linger' -o linger=500ms "$SRC" "$MNT"
cannot 'linger' -o linger=2d "$SRC" "$MNT"
cannot 'accept_quiet' -o accept_quiet=0s "$SRC" "$MNT"
cannot 'usage|source|mountpoint' "$SRC"
cannot 'usage|source|mountpoint'
cannot 'usage|unexpected|too many|argument' "$SRC" "$MNT" "$T/more"
if is_root && [ -n "${CASE_NAMESPACE:-}" ]; then
        mkdir "$T/read-only"
        mount -t tmpfs -o ro none "$T/read-only"
        cannot 'read-only.*Read-only file system' -o "snapshot_dir=$T/read-only" "$SRC" "$MNT"
        umount "$T/read-only"
        chmod 755 "$SNAP"
        reachable_programs
        plain=("${AS[@]}")
        AS=("${AS_USER[@]}" "${AS[@]}")
        cannot 'snapshots.*Permission denied' -o "snapshot_dir=$SNAP" "$SRC" "$MNT"
        # A machine without /dev/fuse.
        AS=("${plain[@]}")
        mount -t tmpfs none /dev
        mknod -m 666 /dev/null c 1 3
        mknod -m 666 /dev/urandom c 1 9
        cannot '/dev/fuse' "$SRC" "$MNT"
        umount /dev
fi
equal "$(find "$SNAP" -mindepth 1)" '' "snapshot_dir"
if pgrep -f "$LITESNAPFS.*$MNT" >"$T/null"; then fail "a daemon is left"; fi
