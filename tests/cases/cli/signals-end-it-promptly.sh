#!/usr/bin/env bash
# P9: SIGTERM, SIGINT and SIGHUP end the daemon promptly and unmount, with status 0, also while opens wait for a lock, a copy
# is under way and a reader holds a file open; the readers get an error, not a hang.
. "$(dirname "$0")/../lib.sh"

sql "$SRC/locked.db" 'CREATE TABLE t(x)'
sql "$SRC/big.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(500000000))'
sql "$SRC/app.db" 'CREATE TABLE t(x)'
"$PYTHON" "$TOOLS/hold-open.py" exclusive "$T/held" "$SRC/locked.db" &
OTHERS+=($!)
wait_for 60 test -e "$T/held"
asked() {
        grep -q "^asked $1 " "$T/state"
}
# Whoever runs the tests under nohup must not have it ignored here.
AS=(env --default-signal=HUP "${AS[@]}")
for signal in TERM INT HUP; do
        mount_fs -o busy_timeout=600000
        exec 5<"$MNT/app.db"
        rm -f "$T/state"
        start_job openers timeout 60 "$PYTHON" "$TOOLS/many-openers.py" "$T/out" "$T/state" "$MNT/locked.db" "$MNT/big.db"
        wait_for 60 asked 2
        status=0
        kill -s $signal "$DAEMON"
        # An open takes up to ten minutes to give up by itself.
        wait_for 60 is_gone "$DAEMON"
        wait "$DAEMON" || status=$?
        DAEMON=
        equal "$status" 0 "exit status after SIG$signal"
        is_not_mounted "$MNT" || fail "still mounted after SIG$signal"
        wait_for 60 test -e "$T/openers.status"
        [ "$(cat "$T/openers.status")" = 1 ] || fail "an opener ended with $(cat "$T/openers.status")"
        exec 5<&-
        no_reports
done
