#!/usr/bin/env bash
# While a process has a directory open its times stand still for that process (tar fails else when side files come and go), and for
# nobody else, however long it has it open.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo one >"$SRC/dir/file"
mount_fs
coproc HOLDER { "$PYTHON" -uc '
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
for line in sys.stdin:
    by_name = os.stat(sys.argv[1])
    if by_name.st_mtime_ns != os.fstat(fd).st_mtime_ns:
        print("two times")
    print(by_name.st_mtime_ns)
' "$MNT/dir"; }
holder=$HOLDER_PID
OTHERS+=("$holder")
held() {
        echo >&"${HOLDER[1]}"
        read -r -t 20 answer <&"${HOLDER[0]}"
        echo "$answer"
}
mtime() { # as the holder prints it
        "$PYTHON" -c 'import os, sys; print(os.stat(sys.argv[1]).st_mtime_ns)' "$1"
}
first=$(held)
equal "$first" "$(mtime "$SRC/dir")" 'the time of the directory'
shows() {
        [ "$(mtime "$MNT/dir")" = "$(mtime "$SRC/dir")" ]
}
for round in 1 2 3; do
        echo "$round" >"$SRC/dir/new$round"
        wait_for 10 shows
        equal "$(held)" "$first" "what the holder sees after change $round"
        # And the one does not forget for the other.
        shows || fail "the others see what the holder sees after change $round"
        find "$MNT/dir" -ls >"$T/listed"
        equal "$(held)" "$first" "what the holder sees beside a listing, $round"
done
eval "exec ${HOLDER[1]}>&-"
wait "$holder"
wait_for 10 shows
unmount_fs
