#!/usr/bin/env bash
# An overlay over the mount, to try an application on last night's state without writing to it: databases are found again
# and again, as they are by then, and SQLite writes to them there, in the overlay's upper layer.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
sql "$SRC/wal.db" "PRAGMA journal_mode=wal; CREATE TABLE t(x); INSERT INTO t VALUES(1)" >"$T/null"
sql "$SRC/rollback.db" "CREATE TABLE t(x); INSERT INTO t VALUES(1)"
echo text >"$SRC/text"
mount_fs
mkdir "$T/upper" "$T/merged"
mount -t tmpfs tmpfs "$T/upper"
mkdir "$T/upper/u" "$T/upper/w"
mount -t overlay overlay -o "lowerdir=$MNT,upperdir=$T/upper/u,workdir=$T/upper/w" "$T/merged" ||
        skip "no overlay over FUSE here"
for i in 2 3 4; do
        equal "$(cat "$T/merged/text")" text "a file"
        for db in wal rollback; do
                cat "$T/merged/$db.db" >"$T/copy"
                stat "$T/merged/$db.db" >"$T/null"
                equal "$(sql "$T/copy" 'PRAGMA journal_mode=delete; SELECT max(x) FROM t' | tail -1)" $((i - 1)) "$db.db, read $i times"
                sql "$SRC/$db.db" "INSERT INTO t VALUES($i)"
        done
done
before=$(fingerprint "$SRC")
for db in wal rollback; do
        sql "$T/merged/$db.db" "INSERT INTO t VALUES(100)"
        equal "$(sql "$T/merged/$db.db" 'SELECT count(*), max(x) FROM t')" '5|100' "$db.db, written to"
done
equal "$(fingerprint "$SRC")" "$before" "the source"
umount "$T/merged"
umount "$T/upper"
unmount_fs
