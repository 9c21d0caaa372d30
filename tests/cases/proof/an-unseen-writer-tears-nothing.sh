#!/usr/bin/env bash
# Writers whose locks cannot be seen from the source: above an overlay's upper directory, above bindfs, and with SQLite's VFS unix-none
# and unix-dotfile. No copy is torn, and none breaks off once the source's writer has been noticed; at four commits a second all but
# a few are served, though the case holds a copy until there is a commit in the middle of it. One warning for each source.
# Torn is judged by SQLite.
# Usage: an-unseen-writer-tears-nothing.sh delete|persist|wal
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

need_root 'mounts an overlay'
command -v bindfs >"$T/null" || skip 'bindfs is not installed'
mkdir -p "$SRC"/{overlay,bindfs,unix-none,unix-dotfile} "$T"/{lower,work,overlay,bindfs}
mount -t overlay -o "lowerdir=$T/lower,upperdir=$SRC/overlay,workdir=$T/work" overlay "$T/overlay" || skip 'no overlay here'
unmount_at_end "$T/overlay"
bindfs "$SRC/bindfs" "$T/bindfs"
MOUNTS+=("$T/bindfs")
paced
mount_fs -o linger=0,busy_timeout=2000
prove "$1" "$(scaled 3)" <<'P'
from pace import Pace
from proofs import *
import sys, threading
journal, rounds = sys.argv[1], int(sys.argv[2])
pace = Pace()
# Two parts of a copy are held apart at 4 MiB.
PARTS = 4 << 20

def start(place):
    """Its database is of 5 MiB; without a WAL-index of its VFS the application keeps that to itself."""
    vfs = place if place.startswith("unix") else None
    base = SRC if vfs else T
    wal = ["PRAGMA locking_mode=EXCLUSIVE"] if vfs and journal == "wal" else []
    return Writer(f"{base}/{place}/app.db", *wal, f"PRAGMA journal_mode={journal}", "PRAGMA synchronous=OFF",
                  *rows(1200, 4000), vfs=vfs)

def warned(place):
    return len(log(f"/{place}/app.db", "in spite of our lock: its writer's"))

def visit(place, writer):
    """The number that a copy has; None: refused. Half of the bytes are read after the next commit."""
    path, before = f"{MNT}/{place}/app.db", writer.done()
    fd = refused(path, errno.EBUSY)
    if fd is None:
        return None
    writer_after, known = writer.begun(), warned(place)
    try:
        head = os.pread(fd, 2 << 20, 0)
        writer.await_commits(1)
        data = head + read(fd, len(head))
    except OSError as error:
        assert error.errno == errno.EIO and not known, f"{place}: broken off though its writer is known: {error}"
        return None
    n = judge(data)
    assert before <= n <= writer_after, f"{place}: {n} is not between {before} and {writer_after}"
    os.close(fd)
    return n

def with_commit_inside(place, writer):
    """A copy that is held in its middle until there was another commit."""
    got = []
    pace.hold(PARTS)
    thread = threading.Thread(target=lambda: got.append(visit(place, writer)))
    thread.start()
    wait_for(lambda: pace.is_held() or not thread.is_alive())
    writer.await_commits(2)
    pace.free()
    thread.join()
    assert len(got) == 1, f"{place}: torn"
    return got[0]

writers = {place: start(place) for place in ("overlay", "bindfs", "unix-none", "unix-dotfile")}
served, slow = {place: [] for place in writers}, {place: [] for place in writers}

def visits(place, writer, into):
    into[place] += [visit(place, writer) for _ in range(rounds)]

def at_once(into):
    """Visits to all places at the same time."""
    threads = [threading.Thread(target=visits, args=(*item, into)) for item in writers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

for place, writer in writers.items():
    wait_for(lambda: writer.done() > 2)
at_once(served)
for place, writer in writers.items():
    served[place].append(with_commit_inside(place, writer))
    writer.rest(250)
at_once(slow)
for place, writer in writers.items():
    slow[place].append(with_commit_inside(place, writer))
    print(f"# {place}: {len(served[place]) - served[place].count(None)} of {rounds + 1} served, at four commits a second "
          f"{len(slow[place]) - slow[place].count(None)}", flush=True)
    assert len(served[place]) == len(slow[place]) == rounds + 1, f"{place}: torn"
    assert slow[place].count(None) <= 1, f"{place}: {slow[place].count(None)} of {rounds + 1} refused"
    assert warned(place) <= 1 and (warned(place) or journal == "wal"), f"{place}: {warned(place)} warnings"
    writer.end()
P
unmount_fs
