#!/usr/bin/env bash
# /dev/fd/N as mountpoint: the caller has mounted already (mount.fuse3 -o drop_privileges, containers). A mount that would let everybody read everything
# is refused; what is no such descriptor is, too. A signal ends it, and then the mount is gone where that is permitted.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts by itself'
[ -n "${CASE_NAMESPACE:-}" ] || skip 'needs a mount namespace of its own'
echo text >"$SRC/file"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'

# with_descriptor OPTIONS: mounts, and starts the daemon with the descriptor.
with_descriptor() {
        exec 9<>/dev/fuse
        # mount(2) by hand: mount(8) would look for a helper.
        "$PYTHON" - "$MNT" "$1" <<'END'
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd=9,rootmode=40000,user_id=0,group_id=0{sys.argv[2]}"
r = libc.mount(b"source", sys.argv[1].encode(), b"fuse.test", 1, options.encode())
sys.exit(r and ctypes.get_errno())
END
        # Whether this kernel tells which mount a connection is.
        TELLS=$(grep -c fuse_connection /proc/self/fdinfo/9 || true)
        "${AS[@]}" "$LITESNAPFS" -f -o "snapshot_dir=$SNAP" "$SRC" /dev/fd/9 >>"$LOG" 2>&1 &
        DAEMON=$!
        exec 9>&-
}
with_descriptor ,allow_other,default_permissions
equal "$(timeout 60 cat "$MNT/file")" text 'a file'
cmp "$SRC/app.db" "$MNT/app.db"
kill -TERM "$DAEMON"
status=0
wait "$DAEMON" || status=$?
DAEMON=
equal "$status" 0 'status after SIGTERM'
if [ "$TELLS" = 1 ]; then
        is_not_mounted "$MNT" || fail 'still mounted after SIGTERM'
fi

# As mount(8) does it for drop_privileges, where the helper is there.
if command -v mount.fuse3 >"$T/null" && is_plain; then
        mkdir "$T/bin"
        cp "$LITESNAPFS" "$T/bin/litesnapfs"
        PATH=$T/bin:$PATH timeout 60 mount.fuse3 "$SRC" "$MNT" -t fuse.litesnapfs -o drop_privileges,ro || fail "mount.fuse3: status $?"
        equal "$(cat "$MNT/file")" text 'a file, without privileges'
        cmp "$SRC/app.db" "$MNT/app.db"
        DAEMON=$(pgrep -f "litesnapfs .*$SRC" | head -1)
        equal "$(awk '/^CapEff/ { print $2 }' "/proc/$DAEMON/status")" 0000000000000000 'capabilities'
        umount "$MNT"
        wait_for 60 is_gone "$DAEMON"
        DAEMON=
fi

if [ "$TELLS" = 1 ]; then
        with_descriptor ,allow_other
        status=0
        wait "$DAEMON" || status=$?
        DAEMON=
        equal "$status" 1 'status without default_permissions'
        logged 1 'everybody could read'
        umount -l "$MNT"
fi
refused 'Bad file descriptor' "${AS[@]}" "$LITESNAPFS" -f "$SRC" /dev/fd/77
refused 'before it served' "${AS[@]}" "$LITESNAPFS" -f "$SRC" /dev/fd/8 8<"$SRC/file"
