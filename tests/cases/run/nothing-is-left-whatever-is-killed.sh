#!/usr/bin/env bash
# Whoever is killed, the command, its children, the mirror and the namespace go; a signal that is sent to litesnapfs reaches the
# command, which ends as it sees fit. Raw files never come out from under the mirror.
# Usage: nothing-is-left-whatever-is-killed.sh root|user
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/cases/run/lib.sh
. "$(dirname "$0")/lib.sh"
as_whom "$1"

sql "$SRC/app.db" 'CREATE TABLE t(x)'
: >"$SRC/app.db-wal"
[ "$1" = root ] || chown -R 65534:65534 "$SRC"
mkdir -m 777 "$T/notes"
cat >"$T/command" <<'END'
#!/bin/bash
# Has a child of its own, and one that lives on in a session of its own.
notes=$1
setsid sleep 1000 &
echo $! >"$notes/detached"
trap 'echo ended >"$notes/term"; exit 5' TERM
sleep 1000 &
echo $! >"$notes/child"
echo $$ >"$notes/self"
wait
wait
END
chmod 755 "$T/command"

server() {
        # shellcheck disable=SC2153 # lib.sh sets it
        pgrep -P "$FIRST" -f "$NAME"
}
begin() {
        rm -f "$T/notes"/*
        "${AS[@]}" "$LITESNAPFS" -o "snapshot_dir=$SNAP" "$SRC" -- "$T/command" "$T/notes" >"$T/out" 2>&1 &
        FIRST=$!
        OTHERS+=("$FIRST")
        wait_for 30 test -s "$T/notes/self"
        SERVER=$(server)
}
all_gone() {
        local note
        for note in detached child self; do
                is_gone "$(cat "$T/notes/$note")" || return 1
        done
        is_gone "$FIRST" && is_gone "$SERVER"
}
# ended STATUS WHAT
ended() {
        local status=0
        wait_for 30 all_gone
        wait "$FIRST" || status=$?
        equal "$status" "$1" "the status, $2"
        nothing_left "$2"
}
begin
kill -TERM "$FIRST"
ended 5 'SIGTERM to the first'
equal "$(cat "$T/notes/term")" ended 'what the command did'
begin
kill -KILL "$FIRST"
ended 137 'SIGKILL to the first'
begin
kill -KILL "$(cat "$T/notes/self")"
ended 137 'SIGKILL to the command'
begin
kill -KILL "$SERVER" "$FIRST"
wait "$FIRST" || true
wait_for 30 is_gone "$(cat "$T/notes/self")"
kill -KILL "$(cat "$T/notes/child")" "$(cat "$T/notes/detached")"
nothing_left 'SIGKILL to both'

# The mirror alone: the command goes on, sees neither raw nor mirrored files, and the status tells.
rm -f "$T/notes"/*
# shellcheck disable=SC2016 # it is the command that expands these
"${AS[@]}" "$LITESNAPFS" -o "snapshot_dir=$SNAP" "$SRC" -- bash -c '
        echo $$ >"$1/new"; mv "$1/new" "$1/self"
        until [ -e "$1/go" ]; do sleep 0.02; done
        ls "$2" >"$1/listing" 2>&1
        exit 0' bash "$T/notes" "$SRC" >"$T/out" 2>&1 &
FIRST=$!
OTHERS+=("$FIRST")
wait_for 30 test -e "$T/notes/self"
SERVER=$(server)
kill -KILL "$SERVER"
wait_for 30 is_gone "$SERVER"
: >"$T/notes/go"
status=0
wait "$FIRST" || status=$?
equal "$status" 75 'the status, with the mirror killed'
grep -q 'not connected' "$T/notes/listing" || fail "the command saw: $(cat "$T/notes/listing")"
grep -q 'mirror ended before' "$T/out" || fail "said: $(cat "$T/out")"
nothing_left 'SIGKILL to the mirror'
# Unmounted by the command itself: that is told, too.
if [ "$1" = root ]; then
        status=0
        run "$SRC" -- umount "$SRC" 2>"$T/said" || status=$?
        equal "$status" 75 'the status, with the mirror unmounted'
        grep -q 'mirror ended before' "$T/said" || fail "said: $(cat "$T/said")"
fi
# What the command leaves running goes with it.
# shellcheck disable=SC2016 # it is the command that expands these
run "$SRC" -- bash -c 'setsid sleep 1000 >/dev/null 2>&1 & echo $! >"$1/detached"' bash "$T/notes"
wait_for 30 is_gone "$(cat "$T/notes/detached")"
nothing_left 'a command that leaves a process'
