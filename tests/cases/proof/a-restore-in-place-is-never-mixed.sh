#!/usr/bin/env bash
# Somebody copies an older state over the database (cp old.db app.db) while it is read slowly: the reader gets all of the one, or all of
# the other, or an error; never a mixture. In WAL mode, idle and open, and in rollback mode.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

paced
mount_fs -o linger=0,busy_timeout=1000
prove <<'P'
from proofs import *
from pace import Pace
import shutil
ROWS = rows(4000)
pace = Pace()

def make(path, journal, n):
    application = Application(path, f"PRAGMA journal_mode={journal}", "PRAGMA synchronous=OFF", *ROWS, commit(n))
    if journal == "wal":
        application("PRAGMA wal_checkpoint(TRUNCATE)")
    return application

for journal in ("wal", "wal open", "delete", "delete open"):
    journal, is_open = journal.split()[0], "open" in journal
    name = f"{journal}{is_open}.db"
    path, mount, old = f"{SRC}/{name}", f"{MNT}/{name}", f"{T}/old-{name}"
    make(old, journal, 1).close()
    application = make(path, journal, 2)
    if not is_open:
        application.close()
    states = contents(old), contents(path)
    # Nobody has written to it for a while: it is read where it lies. A piece, the restore, the rest.
    pace.set_time_of_day(time.time_ns() + 10 ** 10)
    fd = os.open(mount, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    engine = fact(fd, "engine")
    assert engine == "view", f"{name}: {engine}: nothing is proved"
    part = os.pread(fd, 1 << 20, 0)
    shutil.copyfile(old, path)
    try:
        got = part + read(fd, len(part))
        outcome = "old" if got == states[0] else "new" if got == states[1] else "mixed"
        assert outcome != "mixed", f"{name}: a mixture"
    except OSError as error:
        assert error.errno == errno.EIO
        outcome = "refused"
    os.close(fd)
    print(f"# {name}: {engine}, {outcome}", flush=True)
    if is_open:
        application.crash()
    for side in ("-wal", "-shm"):
        if os.path.exists(path + side):
            os.unlink(path + side)
    pace.set_time_of_day(time.time_ns() + 10 ** 10)
    assert contents(mount) == states[0], f"{name}: not the restored one, once it is over"
P
unmount_fs
