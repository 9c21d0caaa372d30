#!/usr/bin/env bash
# Who reads a database in WAL mode from its beginning to its end as fast as it goes gets one state, beside commits and checkpoints,
# and nothing is copied for it. Who reads slowly, or again and again, gets a copy, and the pin goes. How fast a reader is, is told
# by the clock of the case: a millisecond for each MiB is fast, a second is slow.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" wal 50
paced
mount_fs -o linger=0
watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
from pace import Pace
import sys
source, mount = sys.argv[1:]
application = Application(source)
pace = Pace()
pace.stand_still()

def read(fd, seconds, after=lambda _: None):
    data = []
    while piece := os.pread(fd, 1 << 20, sum(map(len, data))):
        data.append(piece)
        pace.move(seconds)
        after(len(data))
    return b"".join(data)

def busy(number):
    """The application goes on, and puts into the main file what a reader does not keep it from."""
    if number % 20 == 0:
        application.commit(7)
        application.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

costs = []
for number in range(9):
    application.commit(5)
    truth = application.truth()
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    assert read(fd, 0.001, busy if number % 3 == 0 else lambda _: None) == truth, "not the state of the moment of the open"
    os.close(fd)
    wait_for(lambda: copies() == 0)
    costs.append(written() - before)
    wait_for(application.reset)
print(f"# bytes written for a reader of {len(truth)}: {sorted(costs)}")
assert max(costs) < 1 << 20, "it was copied"

for what, seconds, rounds in ("slowly", 1, 1), ("again and again", 0, 3):
    application.commit(5)
    truth = application.truth()
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    for _ in range(rounds):
        assert read(fd, seconds) == truth, f"{what}: not the state of the moment of the open"
    # Time passes, but for who reads again and again less than a reader may take.
    pace.move(0.1)
    wait_for(lambda: written() - before >= len(truth))
    wait_for(application.reset)
    assert read(fd, 0) == truth, f"{what}: the copy is not the state of the moment of the open"
    os.close(fd)
P
unmount_fs
