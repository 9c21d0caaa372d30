#!/usr/bin/env bash
# P1 before there is a copy and while it is made: readers at random offsets, one at the very end, and some that read along, all
# while the application commits and checkpoints (in WAL mode; in rollback mode it has to wait), get the bytes of the version that
# was opened, and the same ones again when the copy is complete and the pin gone. Who comes meanwhile to the same version
# shares it.
# Usage: what-is-read-while-it-is-copied-is-right.sh wal|delete [xfs|btrfs]: there by a reflink that takes long
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

if [ $# = 2 ]; then
        . "$(dirname "$0")/../reflink/lib.sh"
        make_disk "$2"
        SNAP=$DISK/snapshots
fi

make_large "$SRC/big.db" "$1" 100
paced
mount_fs
watch_copies "$SRC/big.db" "$MNT/big.db" "$(if [ $# = 2 ]; then echo reflink; else echo copy; fi)" <<'P'
from watch_copies import *
from pace import Pace
import random
import sys
import threading
source, mount, engine = sys.argv[1:]
application = Application(source)
pace = Pace()
random.seed(1)

def goes_on(over):
    """The application after the open; in rollback mode it has to wait until the copy is complete."""
    db = sqlite3.connect(source, isolation_level=None, timeout=60)
    db.execute("PRAGMA synchronous=OFF")
    while not over.is_set():
        db.execute("UPDATE t SET stamp = stamp + 1 WHERE id % 7 = ?", (random.randrange(7),))
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    db.close()

def at_random(fd, size, got):
    for _ in range(60):
        offset, length = random.randrange(size), random.choice((1, 16, 4096, 65536, 1 << 20))
        got.append((offset, length, os.pread(fd, length, offset), written()))

def along(fd, size, got):
    offset = 0
    while data := os.pread(fd, 1 << 17, offset):
        got.append((offset, 1 << 17, data, written()))
        offset += len(data)

def keep_step(got, over):
    """The copy goes on by a step when something has been read, so that it is read at each of its stages; or when nobody can."""
    at = 0
    while not over.is_set():
        at += 4 << 20
        pace.hold(at)
        seen, patience = len(got), time.monotonic() + 0.02
        while not over.is_set() and not (pace.is_held() and (len(got) > seen or time.monotonic() > patience)):
            time.sleep(0.0005)
    pace.free()

early = shared = 0
for number in range(1, 6):
    application.commit(5)
    truth = application.truth()
    size = len(truth)
    # A reflink writes the pages that are in the WAL, and no other.
    cost = size if engine == "copy" else os.path.getsize(source + "-wal") * 9 // 10
    before = written()
    got, over, read = [], threading.Event(), threading.Event()
    copying = threading.Thread(target=keep_step, args=(got, read))
    copying.start()
    fds = [os.open(mount, os.O_RDONLY) for _ in range(2)]
    if number == 1:
        got.append((size - 1, 2, os.pread(fds[0], 2, size - 1), written()))
    readers = [threading.Thread(target=at_random, args=(fd, size, got)) for fd in fds for _ in range(3)]
    readers += [threading.Thread(target=along, args=(fd, size, got)) for fd in fds]
    writer = threading.Thread(target=goes_on, args=(over,))
    for thread in readers + [writer]:
        thread.start()
    for thread in readers:
        thread.join()
    read.set()
    copying.join()
    shared += written() - before < size * 3 // 2
    over.set()
    writer.join()
    wait_for(application.reset)
    for fd in fds:
        assert os.fstat(fd).st_size == size
        assert os.getxattr(fd, "user.litesnapfs.engine").decode() == engine
        got.append((0, size + 1, os.pread(fd, size + 1, 0), written()))
        os.close(fd)
    for offset, length, data, _ in got:
        assert data == truth[offset:offset + length], f"round {number}: {length} bytes at {offset} are of no such version"
    early += sum(when - before < cost for _, _, _, when in got)
print(f"# {early} reads were answered before the copy was complete; in {shared} of {number} rounds both readers shared it")
assert application.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
assert early > 20, "nothing was read while it was copied"
assert shared == number, "two opens of one version made two copies"
P
unmount_fs
