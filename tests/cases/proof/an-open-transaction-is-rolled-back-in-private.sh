#!/usr/bin/env bash
# An application is stopped in the middle of a transaction with pages of it already in the file (docker pause, back up, unpause): the
# committed state is had at once, rolled back in a private copy: user.litesnapfs.proof says journal. With journal_mode MEMORY or OFF
# nothing would show that: EBUSY, with the reason; accept_quiet takes the risk, warns each time, and proof says quiet.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

mount_fs -o linger=0
prove <<'P'
from proofs import *
for journal in ("delete", "persist", "truncate", "wal"):
    path = f"{SRC}/{journal}.db"
    application = Application(path, f"PRAGMA journal_mode={journal}", *rows(500), commit(7))
    before = contents(path)
    application(*SPILL)
    application.stop()
    assert journal == "wal" or contents(path) != before, "nothing has spilled: nothing is proved"
    started = time.monotonic()
    fd = os.open(f"{MNT}/{journal}.db", os.O_RDONLY)
    print(f"# {journal}: {time.monotonic() - started:.3f} s, {fact(fd, 'engine')}, {fact(fd, 'proof')}", flush=True)
    assert fact(fd, "proof") == ("wal" if journal == "wal" else "journal")
    assert judge(read(fd)) == 7
    assert journal == "wal" or os.fstat(fd).st_size == len(before)
    os.close(fd)
    application.go_on()
    application("COMMIT")
    assert copy(f"{MNT}/{journal}.db") == -1
    application.close()
assert not log("busy")
P
unmount_fs
for option in '' ,accept_quiet=1; do
        mount_fs -o "linger=0,busy_timeout=1500$option"
        prove "$option" <<'P'
from proofs import *
import sys
for journal in ("memory", "off"):
    path, mount = f"{SRC}/{journal}.db", f"{MNT}/{journal}.db"
    if os.path.exists(path):
        os.unlink(path)
    application = Application(path, f"PRAGMA journal_mode={journal}", *rows(500), commit(7))
    assert copy(mount) == 7
    # Half of a transaction is in the file; or it has begun and written nothing, and then what is accepted is right by luck.
    application(*(["BEGIN EXCLUSIVE"] if sys.argv[1] else SPILL))
    application.stop()
    if not sys.argv[1]:
        is_refused(mount, errno.EBUSY)
        wait_for(lambda: log(f"/{journal}.db:", "busy", "journal_mode MEMORY or OFF", "accept_quiet"))
    else:
        for number in (1, 2):
            fd = os.open(mount, os.O_RDONLY)
            assert fact(fd, "proof") == "quiet", fact(fd, "proof")
            assert judge(read(fd)) == 7
            os.close(fd)
            assert len(log(f"/{journal}.db:", "accept_quiet)")) == number
    application.crash()
P
        unmount_fs
done
