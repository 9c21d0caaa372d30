#!/usr/bin/env bash
# Started with standard input, output and error closed, as some service managers and cron do, it serves like any other,
# goes to the background, and fails with a status: nothing of its own takes the numbers 0 to 2.
. "$(dirname "$0")/../lib.sh"

echo text >"$SRC/file"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
for closed in '0<&-' '2>&-' '0<&- 1>&-' '0<&- 1>&- 2>&-'; do
        eval "timeout 60 \"\${AS[@]}\" \"\$LITESNAPFS\" -o \"snapshot_dir=\$SNAP\" \"\$SRC\" \"\$MNT\" $closed" || fail "status $? with $closed"
        equal "$(cat "$MNT/file")" text "a file, started with $closed"
        cmp "$SRC/app.db" "$MNT/app.db" || fail "a database, started with $closed"
        DAEMON=$(pgrep -f "litesnapfs .*$MNT" | head -1)
        for fd in 0 1 2; do
                equal "$(readlink "/proc/$DAEMON/fd/$fd")" /dev/null "descriptor $fd, started with $closed"
        done
        umount "$MNT" 2>"$T/null" || fusermount3 -u "$MNT"
        wait_for 60 is_gone "$DAEMON"
        DAEMON=
        status=0
        eval "timeout 60 \"\${AS[@]}\" \"\$LITESNAPFS\" \"\$T/nowhere\" \"\$MNT\" $closed" 2>"$T/null" || status=$?
        equal "$status" 1 "status of what cannot be mounted, with $closed"
done
no_reports
