#!/usr/bin/env bash
# A database that nobody writes to is read where it lies, in every journal mode, closed or open, and with a WAL that a crash has left:
# opens that read nothing, and whole reads, write nothing to snapshot_dir. When an application comes and commits while it is read,
# its commit goes through, and the bytes stay those of the open.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

paced
mount_fs -o linger=0
prove <<'P'
from proofs import *
from pace import Pace
import glob
pace = Pace()

def make(name, journal):
    return Application(f"{SRC}/{name}.db", f"PRAGMA journal_mode={journal}", "PRAGMA synchronous=OFF", "PRAGMA wal_autocheckpoint=0",
                       *rows(3000), commit(7))

live = {}
for journal in ("delete", "truncate", "persist", "memory", "off", "wal"):
    make("closed-" + journal, journal).close()
    live["open-" + journal] = make("open-" + journal, journal)
make("left-wal", "wal").crash()
names = sorted(name[:-3] for name in os.listdir(SRC) if name.endswith(".db"))
assert len(names) == 13
# Nothing was written for ten seconds.
pace.set_time_of_day(time.time_ns() + 10 ** 10)
before = written()
for name in names:
    path = f"{MNT}/{name}.db"
    for _ in range(3):
        fd = os.open(path, os.O_RDONLY)
        assert os.fstat(fd).st_size == os.lstat(path).st_size
        assert fact(fd, "engine") == "view", f"{name}: {fact(fd, 'engine')}"
        os.close(fd)
    # What a live WAL holds is lent for a time that depends on the reader's speed: that is not this case's.
    if name == "open-wal":
        continue
    fd = os.open(path, os.O_RDONLY)
    data = read(fd)
    assert judge(data) == 7 and len(data) == os.fstat(fd).st_size, name
    assert fact(fd, "engine") == "view", f"{name}: {fact(fd, 'engine')}, after it was read"
    os.close(fd)
assert written() == before, f"{written() - before} bytes were written"

for name in names:
    fd = os.open(f"{MNT}/{name}.db", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    part = os.pread(fd, 1 << 20, 0)
    application = live.get(name) or Application(f"{SRC}/{name}.db")
    for n in (8, 9):
        application("UPDATE t SET body = randomblob(length(body)) WHERE id % 10 = 0", commit(n))
        if "wal" in name:
            application("PRAGMA wal_checkpoint")
    assert judge(part + read(fd, len(part))) == 7, name
    os.close(fd)
    assert copy(f"{MNT}/{name}.db") == 9, name
    application.close()
P
unmount_fs
