#!/usr/bin/env bash
# A reflink of a large database writes what its WAL holds and no more; with the snapshots elsewhere it is copied,
# without a word for engine=backup, with one warning for engine=reflink. The bytes are the same in every case.
# Usage: a-clone-copies-next-to-nothing.sh xfs|btrfs
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../stream/lib.sh"

make_disk "$1"
elsewhere=$SNAP
make_large "$SRC/wal.db" wal 20
make_large "$SRC/delete.db" delete 20

# try SNAPSHOT-DIRECTORY OPTION WAL-ENGINE DELETE-ENGINE
try() {
        SNAP=$1
        : >"$LOG"
        mount_fs -o "$2"
        watch_copies "$SRC" "$MNT" "$3" "$4" <<'P'
from watch_copies import *
import sys
source, mount, *engines = sys.argv[1:]
for journal, engine in zip(("wal", "delete"), engines):
    application = Application(f"{source}/{journal}.db")
    for number in range(3):
        application.commit(100 * number)
        truth = application.truth()
        before = written()
        fd = os.open(f"{mount}/{journal}.db", os.O_RDONLY)
        assert os.getxattr(fd, "user.litesnapfs.engine").decode() == engine, f"{journal}: not by {engine}"
        # What comes after the open must not shine through the clone.
        application.commit(2)
        if journal == "wal":
            wait_for(application.reset)
        cost = written() - before
        assert os.pread(fd, len(truth) + 1, 0) == truth, f"{journal}, {engine}: wrong bytes"
        os.close(fd)
        assert cost < len(truth) // 4 if engine == "reflink" else cost >= len(truth), f"{engine}: {cost} bytes written"
P
        unmount_fs
}
try "$DISK/snapshots" engine=backup reflink reflink
logged 1 'engine in use: reflink'
try "$DISK/snapshots" engine=reflink reflink reflink
try "$elsewhere" engine=backup copy copy
logged 1 'engine in use: copy'
logged 0 'warning'
try "$elsewhere" engine=reflink copy copy
logged 1 'engine in use: copy'
