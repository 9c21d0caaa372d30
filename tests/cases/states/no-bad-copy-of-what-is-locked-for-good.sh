#!/usr/bin/env bash
# P5, S7: an application that never gives up its exclusive lock (locking_mode=EXCLUSIVE, or the unix-excl VFS) and moves
# money without pause, but for moments in the middle of a transaction with pages of it already in the file: no bad copy is
# accepted. Where a journal or a WAL proves copies, some must be had; where nothing does (journal_mode MEMORY or OFF, or a
# journal that is deleted each time), EBUSY is the answer, also if an earlier application left a journal that says nothing.
# Usage: ...sh JOURNAL-MODE exclusive|unix-excl
. "$(dirname "$0")/../lib.sh"

journal=$1
how=$2
seconds=${SECONDS_OF_WRITING:-2}
db=$SRC/app.db
writer=(--journal "$journal" --cache 5 --pause 0.2)
case $how in
exclusive) writer+=(--locking EXCLUSIVE) ;;
unix-excl) writer+=(--vfs unix-excl) ;;
esac
# In the ways that leave a proof, copies must be had.
least=1 patience=5000
case $journal-$how in
memory-* | off-* | delete-unix-excl) least=0 patience=1000 ;;
esac
# Larger, so that there is time for a WAL to start anew while it is copied.
if [ "$journal" = wal ]; then writer+=(--rows 12000); fi
mount_fs -o busy_timeout=$patience,linger=0

# write [OPTION...]: and judge copies of it meanwhile.
write() {
        local status=0
        rm -f "$T/ready"
        "$PYTHON" "$TOOLS/state-writer.py" "${writer[@]}" "$@" "$db" "$T/record" "$T/ready" >"$T/writer.out" 2>&1 &
        WRITER=$!
        wait_for 60 test -e "$T/ready"
        "$PYTHON" "$TOOLS/state-reader.py" --seconds "$seconds" --snapshots 100000 --least $least --busy-allowed "$MNT/app.db" "$T/record" || status=$?
        stop_writer
        [ $status = 0 ] || fail "${writer[*]} $*"
}

write --do ponder,pause --often 0.3
# Gaps, in which others may lock it.
write --keep --do reopen,ponder --often 0.1
if [ "$journal" = wal ]; then
        # The WAL starts anew all the time, and at once: perhaps there is never time for a copy.
        least=0
        write --keep --do checkpoint --often 0.5 --cache 2000
else
        "$PYTHON" "$TOOLS/state-writer.py" --keep --transactions 1 --journal persist "$db" "$T/record" "$T/ready"
        [ -s "$db-journal" ] || fail "no journal was left"
        write --keep --do ponder,pause --often 0.3 --seed 2
        # Without a rest: a journal that says nothing must not pass for a proof.
        [ $least = 1 ] || write --keep --do ponder --ponder 0.3 --seed 3
fi
still_serves
unmount_fs
