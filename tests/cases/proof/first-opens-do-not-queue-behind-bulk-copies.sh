#!/usr/bin/env bash
# Eight readers of large live databases have been so slow that their states have to be copied, and these copies take long: the case holds
# them. The open of a small database, and of one that has to be copied first, is answered meanwhile.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

paced
mount_fs -o linger=0
prove <<'P'
from proofs import *
from pace import Pace
pace = Pace()
pace.stand_still()
LARGE = [f"INSERT INTO t SELECT 2 + value, 0, zeroblob(1 << 20) FROM json_each('[{','.join(map(str, range(66)))}]')"]
large = Application(SRC + "/large.db", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", *rows(1), *LARGE, "PRAGMA wal_checkpoint")
small = {journal: Application(f"{SRC}/{journal}.db", f"PRAGMA journal_mode={journal}", *rows(20), commit(7))
         for journal in ("wal", "delete")}
readers = []
for n in range(8):
    large(commit(n))
    fd = os.open(MNT + "/large.db", os.O_RDONLY)
    os.pread(fd, PAGE, 0)
    readers.append(fd)
pace.hold(1 << 20)
pace.move(10)
wait_for(pace.is_held)
for journal, application in small.items():
    for n in range(8, 12):
        application(commit(n))
        pace.set_time_of_day(time.time_ns())
        signal.alarm(60)
        assert copy(f"{MNT}/{journal}.db") == n, journal
        signal.alarm(0)
assert pace.is_held(), "the copies went on: nothing was proved"
pace.free()
for n, fd in enumerate(readers):
    data = read(fd)
    assert judge(data) == n
    os.close(fd)
P
unmount_fs
