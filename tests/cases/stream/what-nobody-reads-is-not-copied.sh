#!/usr/bin/env bash
# Open, fstat and close, as borg does with each file on each run, copy nothing. A reader that opens and then waits keeps neither
# the WAL from being reset nor commits from being made (rollback mode), and its own state stays right: the copy is made after a
# little while, or when a commit waits for it.
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
import threading
import time
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
if journal == "wal":
    # Now the pin is not needed any more, and the next commits may take the WAL from its start.
    wait_for(lambda: written() - before >= len(truth))
    wait_for(application.reset)
else:
    # A commit has to wait for a copy, and for nothing else: time passes.
    threading.Thread(target=lambda: [pace.move(0.01) or time.sleep(0.01) for _ in range(1000)], daemon=True).start()
application.commit(1)
wait_for(lambda: written() - before >= len(truth))
assert os.pread(fd, len(truth) + 1, 0) == truth
os.close(fd)
P
unmount_fs
