#!/usr/bin/env bash
# P5: an application holds EXCLUSIVE longer than busy_timeout: EBUSY, not before the timeout is over, one log line; once the
# lock is gone the file opens. SHARED and RESERVED locks of others are no obstacle.
. "$(dirname "$0")/../lib.sh"

for name in exclusive reserved shared; do
        sql "$SRC/$name.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
        "$PYTHON" "$TOOLS/hold-open.py" $name "$T/held.$name" "$SRC/$name.db" &
        OTHERS+=($!)
        [ $name != exclusive ] || holder=$!
        wait_for 60 test -e "$T/held.$name"
done
mount_fs -o busy_timeout=0.5s
started=$(date +%s%N)
refused 'Device or resource busy' cat "$MNT/exclusive.db"
[ $(($(date +%s%N) - started)) -ge 400000000 ] || fail "gave up before busy_timeout"
logged 1 exclusive.db 'lock|busy' '500 ms'
stat "$MNT/exclusive.db" >"$T/null"
equal "$(cd "$MNT" && echo *.db)" 'exclusive.db reserved.db shared.db' "the listing"
for name in reserved shared; do
        equal "$(sha "$MNT/$name.db")" "$(sha "$SRC/$name.db")" "$name"
done
kill "$holder"
wait "$holder" || true
equal "$(sha "$MNT/exclusive.db")" "$(sha "$SRC/exclusive.db")" "after the lock is gone"
unmount_fs
