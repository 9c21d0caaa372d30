#!/usr/bin/env bash
# One snapshot serves all who open the same version: with many readers of an unchanged database at one time, max_space for
# little more than one copy is enough; when it changes, the next open gets the new version.
. "$(dirname "$0")/../lib.sh"

sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(6000000))'
mount_fs -o max_space=8M
"$PYTHON" - "$SRC/app.db" "$MNT/app.db" <<'P'
import os, sqlite3, sys
source, mount = sys.argv[1:]
fds = [os.open(mount, os.O_RDONLY) for _ in range(20)]
raw = open(source, "rb").read()
for fd in fds:
    assert os.pread(fd, len(raw) + 1, 0) == raw
for fd in fds:
    os.close(fd)
P
sql "$SRC/app.db" 'UPDATE t SET x = randomblob(6000000)'
is_new() {
        [ "$(sha "$MNT/app.db")" = "$(sha "$SRC/app.db")" ]
}
# The space of the old version comes back when its last reader has left.
wait_for 60 is_new
unmount_fs
