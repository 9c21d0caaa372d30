#!/usr/bin/env bash
# P1, P5: an application renames new databases over its old one without pause: every copy is of one of them, whole, and there is
# always one. Usage: ...sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

mount_fs -o busy_timeout=120000,linger=0
"$PYTHON" "$TOOLS/state-replace.py" "$1" "$SRC/app.db" "$T/record" "$T/ready" >"$T/writer.out" 2>&1 &
WRITER=$!
wait_for 60 test -e "$T/ready"
status=0
"$PYTHON" "$TOOLS/state-reader.py" --snapshots "$(scaled "${SNAPSHOTS:-400}")" "$MNT/app.db" "$T/record" || status=$?
stop_writer
[ $status = 0 ] || fail "copies of what was replaced"
still_serves
unmount_fs
