#!/usr/bin/env bash
# P7, T3: a snapshot's room is given back when its last reader leaves, also when that is killed in the middle of a read, or while its open
# waits; what does not fit is ENOSPC at open, never a short file, and fits as soon as the others are gone.
# Usage: ...sh max_space|tmpfs
. "$(dirname "$0")/../lib.sh"

need_root 'mounts a tmpfs'
for n in 1 2 3; do
        sql "$SRC/$n.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(15000000))'
done
# A crash leaves a WAL that the private way needs room for, too.
"$PYTHON" "$TOOLS/state-make.py" crash-wal "$SRC/crash.db"
options=linger=0,racy=off,engine=backup
mount -t tmpfs -o mode=700,size=40M none "$SNAP"
if [ "$1" = max_space ]; then
        umount "$SNAP"
        mount -t tmpfs -o mode=700 none "$SNAP"
        options+=,max_space=40MB
fi
mount_fs -o "$options"
used() {
        df --output=used -B1 "$SNAP" | tail -1
}
is_empty() {
        [ "$(used)" -lt 1000000 ]
}

# reads FILE NAME: a reader in the background that has read one byte and holds the file open; its id in $reader.
reads() {
        "$PYTHON" -c 'import os, signal, sys
file = os.open(sys.argv[1], os.O_RDONLY)
os.pread(file, 1, os.fstat(file).st_size - 1)
open(sys.argv[2], "w").close()
while True:
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.pread(file, 1000000, 5000000)' "$1" "$T/$2" &
        reader=$!
        OTHERS+=("$reader")
        wait_for 60 test -e "$T/$2"
}

for round in 1 2 3; do
        reads "$MNT/1.db" "one.$round"
        one=$reader
        reads "$MNT/2.db" "two.$round"
        two=$reader
        [ "$(used)" -gt 29000000 ] || fail "two snapshots take only $(used) bytes"
        # Waiting for room, below, may have been refused too.
        before=$(grep -c '/3\.db.*no room' "$LOG" || true)
        refused 'No space left' cp "$MNT/3.db" "$T/copy"
        [ ! -s "$T/copy" ] || fail "a short file"
        equal "$(grep -c '/3\.db.*no room' "$LOG")" "$((before + 1))" "log lines about 3.db"
        # Small ones still fit, and the readers' own are whole.
        cp "$MNT/crash.db" "$T/copy"
        equal "$(sql "$T/copy" 'SELECT n FROM stamp')" 7 'the small one'
        kill -KILL "$one"
        wait "$one" 2>"$T/null" || true
        wait_for 60 cmp -s "$MNT/3.db" "$SRC/3.db"
        kill -KILL "$two"
        wait "$two" 2>"$T/null" || true
        wait_for 60 is_empty
        rm -f "$T/copy"*
done

# Killed while its open is under way, again and again: nothing stays.
for ((i = 0; i < 40; i++)); do
        cat "$MNT/$((i % 3 + 1)).db" >"$T/null" 2>&1 &
        kill -KILL $!
        wait $! 2>"$T/null" || true
done
wait_for 60 is_empty
still_serves
equal "$(find "$SNAP" -mindepth 1)" '' "names in snapshot_dir"
unmount_fs
umount "$SNAP"
