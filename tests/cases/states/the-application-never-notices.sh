#!/usr/bin/env bash
# P6: an application that starts, writes and stops without pause, beside copies without pause, never meets an error: not one that
# has no busy handler at all, in WAL mode; in rollback mode it waits in its own. ROUNDS=10000 in the long run.
# Usage: ...sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

copy_on_and_on() {
        local n=0
        until [ -e "$T/stop" ]; do
                cat "$MNT/app.db" >"$T/null" || return 1
                n=$((n + 1))
        done
        echo "$n copies"
}

"$PYTHON" "$TOOLS/state-rounds.py" "$1" "$SRC/app.db" 1
mount_fs -o busy_timeout=120000,linger=0
start_job copies-1 copy_on_and_on
start_job copies-2 copy_on_and_on
"$PYTHON" "$TOOLS/state-rounds.py" "$1" "$SRC/app.db" "$(scaled "${ROUNDS:-500}")"
: >"$T/stop"
finish_job copies-1
finish_job copies-2
cat "$T/copies-1.out" "$T/copies-2.out"
still_serves
unmount_fs
