#!/usr/bin/env bash
# A header that says that only later versions may read it (read version 3: wal2, MVCC), with logs that nobody here can read: EIO and a
# line that says why, never the raw main file. The name stays listed, the logs are not.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(20000))'
printf '\003\003' | dd of="$SRC/app.db" bs=1 seek=18 conv=notrunc status=none
for side in wal wal2 log shm journal; do
        head -c 40000 /dev/urandom >"$SRC/app.db-$side"
done
# Names of other people's.
echo text >"$SRC/text"
echo wal2 >"$SRC/text-wal2"
echo log >"$SRC/build-log"
sql "$SRC/known.db" 'CREATE TABLE t(x)'
echo log >"$SRC/known.db-log"
mount_fs -o busy_timeout=500
refused 'Input/output error' cat "$MNT/app.db"
logged 1 app.db 'format' 'wal2'
equal "$(cd "$MNT" && echo *)" 'app.db build-log known.db known.db-log text text-wal2' 'the listing'
stat "$MNT/app.db" >"$T/null"
for side in wal2 log journal; do
        refused 'No such file' stat "$MNT/app.db-$side"
done
equal "$(cat "$MNT/text-wal2" "$MNT/build-log" "$MNT/known.db-log")" "$(printf 'wal2\nlog\nlog')" 'names of others'
# Read version 2 and write version 3: only for reading, and that it is.
sql "$SRC/readable.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(7)' >"$T/null"
printf '\003' | dd of="$SRC/readable.db" bs=1 seek=18 conv=notrunc status=none
cmp "$MNT/readable.db" "$SRC/readable.db"
unmount_fs
