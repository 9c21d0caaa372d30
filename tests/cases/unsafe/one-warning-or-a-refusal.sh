#!/usr/bin/env bash
# Where locks may be fiction (a FUSE source stands for NFS, SMB and the like): one warning that names the file system, however
# many databases are opened there; with -o require_locks each is refused with a log line. Elsewhere neither.
. "$(dirname "$0")/../lib.sh"

command -v bindfs >"$T/null" || skip 'bindfs is not installed'
mkdir "$SRC/fuse" "$SRC/local" "$T/real"
for name in one two; do
        sql "$T/real/$name.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(9000))'
        cp "$T/real/$name.db" "$SRC/local"
done
echo text >"$T/real/text"
bindfs -o ro "$T/real" "$SRC/fuse"
MOUNTS+=("$SRC/fuse")

mount_fs
for round in 1 2; do
        for name in one two; do
                equal "$(sha "$MNT/fuse/$name.db")" "$(sha "$T/real/$name.db")" "$name, round $round"
                equal "$(sha "$MNT/local/$name.db")" "$(sha "$T/real/$name.db")" "local $name"
        done
done
logged 1 'FUSE' 'lock'
logged 0 'local/' 'lock'
unmount_fs
: >"$LOG"
mount_fs -o require_locks
for name in one two; do
        refused 'No locks available' cat "$MNT/fuse/$name.db"
        logged 1 "fuse/$name.db" require_locks
        stat "$MNT/fuse/$name.db" >"$T/null"
        equal "$(sha "$MNT/local/$name.db")" "$(sha "$T/real/$name.db")" "local $name"
done
equal "$(cat "$MNT/fuse/text")" text 'ordinary files need no locks'
unmount_fs
