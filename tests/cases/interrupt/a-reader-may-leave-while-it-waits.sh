#!/usr/bin/env bash
# P9: a reader whose open waits for a lock is gone at once when it is interrupted or killed; those who still wait for the same
# get it.
. "$(dirname "$0")/../lib.sh"

sql "$SRC/held.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
"$PYTHON" "$TOOLS/hold-open.py" exclusive "$T/held" "$SRC/held.db" &
holder=$!
OTHERS+=("$holder")
wait_for 60 test -e "$T/held"
mount_fs -o busy_timeout=600000,linger=0

# opens FILE: a reader in the background, which has reached its open; its id in $reader.
opens() {
        "$PYTHON" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
open(sys.argv[2], "w").close()
os.open(sys.argv[1], os.O_RDONLY)
open(sys.argv[2] + ".opened", "w").close()' "$1" "$2" &
        reader=$!
        OTHERS+=("$reader")
        wait_for 60 test -e "$2"
        wait_for 60 waits_in_open "$reader"
}
waits_in_open() {
        grep -q '^State:[[:space:]]*[SD]' "/proc/$1/status" && grep -qE 'fuse|request_wait' "/proc/$1/stack" "/proc/$1/wchan"
}
# It ends though the lock stays for ten minutes.
for signal in INT TERM KILL; do
        opens "$MNT/held.db" "$T/reader.$signal"
        kill -$signal "$reader"
        wait_for 60 is_gone "$reader"
        wait "$reader" || true
        still_serves
done
# One of two gives up: the other still gets it once the lock is gone.
opens "$MNT/held.db" "$T/first"
first=$reader
opens "$MNT/held.db" "$T/second"
second=$reader
kill -KILL "$first"
wait_for 60 is_gone "$first"
wait "$first" || true
[ ! -e "$T/second.opened" ] || fail "opened what is locked"
kill "$holder"
wait "$holder" || true
wait "$second" || fail "the one that stayed did not get it"
logged 0 held.db busy
unmount_fs
