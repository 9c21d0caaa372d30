#!/usr/bin/env bash
# A database that was copied, is opened again within linger seconds and has not changed gets the snapshot that is there; after a
# commit, a new one; with linger=0 each open has its own.
# Usage: an-unchanged-database-is-copied-once.sh wal|delete
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../stream/lib.sh"

make_large "$SRC/app.db" "$1" 20
for linger in 600 0; do
        mount_fs -o linger=$linger
        watch_copies "$SRC/app.db" "$MNT/app.db" $linger <<'P'
from watch_copies import *
import sys
source, mount, linger = sys.argv[1:]
application = Application(source)

def read(copied):
    """The bytes, when the snapshot was taken, and what the daemon wrote for it. copied: kept open until all is."""
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    size = os.fstat(fd).st_size
    data = os.pread(fd, size + 1, 0)
    if copied:
        wait_for(lambda: written() - before >= size)
    cost = written() - before
    taken = os.getxattr(fd, "user.litesnapfs.taken")
    os.close(fd)
    if linger == "0":
        wait_for(lambda: copies() == 0)
    return data, taken, cost

kept = None
for number in range(4):
    application.commit(3)
    truth = application.truth()
    data, taken, cost = read(True)
    assert data == truth, "not the state of the moment"
    assert taken != kept, "a new state was taken before it was"
    for again in range(3):
        kept = taken
        data, taken, cost = read(linger == "0")
        assert data == truth, "not the state of the moment, when it is opened again"
        if linger == "0":
            assert taken != kept, "kept, with linger=0"
        else:
            assert taken == kept and cost < 1 << 20, f"unchanged, but {cost} bytes were copied"
P
        unmount_fs
done
