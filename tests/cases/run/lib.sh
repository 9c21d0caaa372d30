# What the cases of commands in a namespace lean on, as root or as an ordinary user.
# shellcheck shell=bash

# as_whom root|user
as_whom() {
        if [ "$1" = user ]; then
                need_root 'becomes an ordinary user by itself'
                mount_as_user
        fi
        WHOM=$1
        # What the command lines of ours begin with.
        NAME="litesnapfs -o snapshot_dir=$SNAP"
}

as_them() {
        if [ "$WHOM" = user ]; then as_user "$@"; else "$@"; fi
}

# run [OPTION...] SOURCE -- COMMAND...: the status is the command's.
run() {
        timeout 120 "${AS[@]}" "$LITESNAPFS" -o "snapshot_dir=$SNAP" "$@"
}

# nothing_left WHAT: no process of ours, and no mount for others to see.
nothing_left() {
        wait_for 30 none_runs
        if grep -q " $T/.* - fuse" /proc/self/mountinfo; then fail "a mount can be seen: $1"; fi
        no_reports
}

none_runs() {
        ! pgrep -f "$NAME" >"$T/null"
}
