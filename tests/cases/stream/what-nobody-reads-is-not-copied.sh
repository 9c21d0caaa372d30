#!/usr/bin/env bash
# F5: open, fstat and close, as borg does with each file on each run, copy nothing. Who opens and then waits keeps neither
# the WAL from being reset (in rollback mode: commits from being made) nor his own state from being right: the copy is made after a
# little while without being asked for.
# Usage: what-nobody-reads-is-not-copied.sh wal|delete
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" "$1" 60
paced
mount_fs -o linger=0
watch_copies "$SRC/big.db" "$MNT/big.db" "$1" <<'P'
from watch_copies import *
from pace import Pace
import sys
source, mount, journal = sys.argv[1:]
application = Application(source)
pace = Pace()
# The little while does not pass until the case says so.
pace.stand_still()

def look(fd):
    for _ in range(100):
        assert os.fstat(fd).st_size == os.stat(source).st_size
        os.stat(os.path.dirname(mount))
        os.path.exists(mount + "-none")

costs = []
for number in range(7):
    application.commit()
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    look(fd)
    os.close(fd)
    wait_for(lambda: copies() == 0)
    costs.append(written() - before)
print(f"# bytes written for an open that reads nothing: {sorted(costs)}")
assert max(costs) < 1 << 20

application.commit()
truth = application.truth()
before = written()
fd = os.open(mount, os.O_RDONLY)
look(fd)
assert written() - before < 1 << 20
pace.move(1)
wait_for(lambda: written() - before >= len(truth))
# Now the pin is not needed any more, and the next commits may take the WAL from its start.
if journal == "wal":
    wait_for(application.reset)
application.commit(1)
assert os.pread(fd, len(truth) + 1, 0) == truth
os.close(fd)
P
unmount_fs
