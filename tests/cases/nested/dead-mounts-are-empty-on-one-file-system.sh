#!/usr/bin/env bash
# -o one_file_system: a mount inside the source whose server has died, one that hangs and one that is closed to us are
# the empty directories that were promised, in lists, copies and for whoever looks at them, with the same number after a
# remount; nothing is asked of them.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
mkdir -p "$T/remote" "$SRC/dead" "$SRC/hangs" "$SRC/closed" "$SRC/plain"
echo text | tee "$T/remote/file" >"$SRC/plain/file"
chmod 777 "$SRC/closed"
chown 65534 "$SRC/closed"
bindfs -f "$T/remote" "$SRC/dead" &
DEAD=$!
bindfs -f -o attr_timeout=0,entry_timeout=0 "$T/remote" "$SRC/hangs" &
HANGS=$!
OTHERS+=("$DEAD" "$HANGS")
wait_for 20 is_mounted "$SRC/dead"
wait_for 20 is_mounted "$SRC/hangs"
# Root may not look into what another user mounts for himself.
numbers=$(stat -c '0x%t 0x%T' /dev/fuse)
# shellcheck disable=SC2086 # two numbers
mknod -m 666 "$T/fuse" c $numbers
mount --bind "$T/fuse" /dev/fuse
chmod 755 "$T/remote"
as_user bindfs -f --no-allow-other "$T/remote" "$SRC/closed" 2>"$T/said" &
OTHERS+=($!)
closed_or_not() {
        is_mounted "$SRC/closed" || is_gone "${OTHERS[-1]}"
}
wait_for 20 closed_or_not
is_mounted "$SRC/closed" || fail "no mount by a user: $(cat "$T/said")"
go_on() {
        local status=$?
        trap - ERR
        set +e
        kill -CONT "$HANGS"
        (exit $status)
        case_end
}
trap go_on EXIT
kill -KILL "$DEAD"
wait_for 20 is_gone "$DEAD"
kill -STOP "$HANGS"
names='. ./closed ./dead ./hangs ./plain ./plain/file '
numbers() {
        (cd "$MNT" && timeout 20 stat -c '%n %i %h %F' closed dead hangs)
}
mount_fs -o one_file_system
equal "$(cd "$MNT" && timeout 20 find . | sort | tr '\n' ' ')" "$names" "a walk"
timeout 20 ls -l "$MNT" >"$T/null"
numbers >"$T/first"
equal "$(awk '{ print $2 }' "$T/first" | sort -u | wc -l)" 3 "numbers of their own"
equal "$(awk '{ print $3, $4 }' "$T/first" | sort -u)" '2 directory' "directories"
timeout 20 tar cf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "tar: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "tar said $(cat "$T/said")"
timeout 20 rsync -aHAX "$MNT/" "$T/copy/"
equal "$(cd "$T/copy" && find . | sort | tr '\n' ' ')" "$names" "rsync's copy"
for name in closed dead hangs; do
        timeout 20 stat -f "$MNT/$name" >"$T/null"
        refused 'No such file' timeout 20 cat "$MNT/$name/file"
done
unmount_fs
mount_fs -o one_file_system
equal "$(numbers)" "$(cat "$T/first")" "after a remount"
unmount_fs

# Without the option the mount says what the source says, and the names stay.
mount_fs
equal "$(timeout 20 ls "$MNT" | tr '\n' ' ')" 'closed dead hangs plain ' "a list"
refused 'not connected' timeout 20 ls "$MNT/dead"
refused 'Permission denied' timeout 20 ls "$MNT/closed"
equal "$(timeout 20 cat "$MNT/plain/file")" text "a file"
unmount_fs
