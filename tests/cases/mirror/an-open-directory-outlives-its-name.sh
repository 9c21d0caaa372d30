#!/usr/bin/env bash
# A directory that a program has open stays itself when it is renamed in the source, as it does there, however many others were visited
# meanwhile, and for as long as it is open; on a nested file system, too, whose idle descriptors are closed.
. "$(dirname "$0")/../lib.sh"

tree() { # DIRECTORY NUMBER
        mkdir -p "$1/top/many" "$1/top/later"
        echo content >"$1/top/later/file"
        (cd "$1/top/many" && seq "$2" | xargs mkdir)
}
tree "$SRC/here" 1500
places=(here)
if is_root; then
        mkdir "$SRC/nested"
        mount -t tmpfs tmpfs "$SRC/nested" && tree "$SRC/nested" 10 && places+=(nested)
fi
mount_fs
# What the kernel and the daemon may remember is forgotten after two seconds.
is_forgotten() {
        [ $SECONDS -gt $((renamed + 3)) ]
}
for place in "${places[@]}"; do
        coproc WALK { "$PYTHON" "$TOOLS/walk-held.py" "$MNT/$place" "$SRC/$place"; }
        walk=$WALK_PID
        OTHERS+=("$walk")
        read -r -t 60 answer <&"${WALK[0]}"
        equal "$answer" renamed "the walk of $place"
        renamed=$SECONDS
        wait_for 20 is_forgotten
        echo >&"${WALK[1]}"
        read -r -t 60 answer <&"${WALK[0]}" || fail "what is open in $place is gone after the rename"
        wait "$walk"
        say "$place: $answer"
        case $answer in
        'content later,many') ;;
        *) fail "$place: $answer" ;;
        esac
done
unmount_fs
for place in "${places[@]:1}"; do umount "$SRC/$place"; done
