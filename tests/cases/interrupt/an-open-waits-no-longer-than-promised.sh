#!/usr/bin/env bash
# P9: an open waits no longer than busy_timeout plus the copy, whatever the application does: holds the lock, moves money under an
# exclusive lock, starts its WAL anew all the time. By the clock of the case, which stands still when the promised time is over.
. "$(dirname "$0")/../lib.sh"

paced
mount_fs -o busy_timeout=1000,linger=0
for how in '--journal delete --locking EXCLUSIVE --do ponder' '--journal off --locking EXCLUSIVE' '--journal wal --locking EXCLUSIVE --do checkpoint --often 0.9' \
        '--journal persist --do ponder' '--journal wal --do checkpoint,reopen --often 0.9'; do
        rm -f "$T/ready" "$SRC"/app.db*
        # shellcheck disable=SC2086 # words
        "$PYTHON" "$TOOLS/state-writer.py" $how --cache 5 "$SRC/app.db" "$T/record" "$T/ready" >"$T/writer.out" 2>&1 &
        WRITER=$!
        wait_for 60 test -e "$T/ready"
        "$PYTHON" "$TOOLS/state-reader.py" --seconds 2.5 --snapshots 100000 --least 0 --busy-allowed --no-longer 3 "$MNT/app.db" "$T/record" ||
                fail "$how"
        stop_writer
done
unmount_fs
