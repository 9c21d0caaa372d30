#!/usr/bin/env bash
# F5: open, fstat and close, as borg does with each file on each run, copy nothing. Who opens and then waits keeps neither
# the WAL from being reset (in rollback mode: commits from being made) nor his own state from being right: the copy is made after a
# little while without being asked for.
# Usage: what-nobody-reads-is-not-copied.sh wal|delete
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" "$1" 60
mount_fs -o linger=0
watch_copies "$SRC/big.db" "$MNT/big.db" "$1" <<'P'
from watch_copies import *
import sys
source, mount, journal = sys.argv[1:]
application = Application(source)
costs = []
for number in range(21):
    application.commit()
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    # A moment, in which a copy could begin: a few milliseconds. The median counts, should the scheduler make more of one. Rollback
    # mode has no such moment to give, since the application has to wait.
    for _ in range(100 if journal == "wal" else 1):
        assert os.fstat(fd).st_size == os.stat(source).st_size
        os.stat(os.path.dirname(mount))
        os.path.exists(mount + "-none")
    os.close(fd)
    wait_for(lambda: copies() == 0)
    costs.append(written() - before)
print(f"# bytes written for an open that reads nothing: {sorted(costs)}")
assert sorted(costs)[10] < 1 << 20

application.commit()
truth = application.truth()
before = written()
fd = os.open(mount, os.O_RDONLY)
wait_for(lambda: written() - before >= len(truth))
# Now the pin is not needed any more, and the next commits may take the WAL from its start.
if journal == "wal":
    wait_for(application.reset)
application.commit(1)
assert os.pread(fd, len(truth) + 1, 0) == truth
os.close(fd)
P
unmount_fs
