#!/usr/bin/env bash
# An automounter inside the source is not asked for anything by whoever lists its parent, looks at it, or copies
# its attributes; only by who goes in.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
grep -q '[[:space:]]autofs$' /proc/filesystems || skip "this kernel has no autofs"
mkdir "$SRC/auto" "$SRC/plain"
echo text >"$SRC/plain/file"
"$PYTHON" "$TOOLS/automounter.py" "$SRC/auto" "$T/asked" >"$T/automounter" 2>&1 &
OTHERS+=($!)
ready() {
        [ -e "$T/asked" ] || { is_gone "${OTHERS[-1]}" && skip "no automounter: $(cat "$T/automounter")"; }
}
wait_for 20 ready
mount_fs
equal "$(timeout 20 ls "$MNT" | tr '\n' ' ')" 'auto plain ' "a list"
timeout 20 ls -l "$MNT" >"$T/null"
timeout 20 stat "$MNT/auto" >"$T/null"
timeout 20 getfattr -d -m - "$MNT/auto" >"$T/null"
timeout 20 find "$MNT" -maxdepth 1 -printf '%i %s %P\n' >"$T/null"
timeout 20 cat "$MNT/plain/file" >"$T/null"
equal "$(cat "$T/asked")" '' "what the automounter was asked for"
# It answers that there is nothing.
timeout 20 ls "$MNT/auto" >"$T/null" 2>&1 || true
asked() {
        [ -s "$T/asked" ]
}
wait_for 20 asked
unmount_fs
kill -TERM "${OTHERS[-1]}"
wait_for 20 is_gone "${OTHERS[-1]}"
