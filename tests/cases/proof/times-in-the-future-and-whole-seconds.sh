#!/usr/bin/env bash
# Times that prove little. In the future (a clock without a battery, a restore from a host whose clock is wrong): the database opens all
# the same, at once. In whole seconds (ext4 with inodes of 128 bytes): copies beside a writer whose locks are not seen are not torn,
# and a commit in the second of the one before is not lost to a tool that compares ctime, size and inode, as borg does.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

need_root 'mounts an image'
truncate -s 64M "$T/image"
mkfs.ext4 -q -F -I 128 "$T/image" >"$T/null" 2>&1
mkdir "$SRC/seconds"
mount -o loop "$T/image" "$SRC/seconds" 2>"$T/null" || skip 'no image can be mounted'
unmount_at_end "$SRC/seconds"
paced
mount_fs -o linger=0,busy_timeout=4000
prove "$(scaled 5)" <<'P'
from proofs import *
from pace import Pace
import sys
pace = Pace()
FUTURE = time.time() + 3 * 3600
for journal in ("delete", "wal"):
    name = f"future-{journal}.db"
    Application(f"{SRC}/{name}", f"PRAGMA journal_mode={journal}", *rows(20), commit(7)).close()
    os.utime(f"{SRC}/{name}", (FUTURE, FUTURE))
    assert contents(f"{MNT}/{name}") == contents(f"{SRC}/{name}"), name
    assert abs(os.lstat(f"{MNT}/{name}").st_mtime - FUTURE) < 2
    application = Application(f"{SRC}/{name}", commit(8))
    assert copy(f"{MNT}/{name}") == 8, name
    os.utime(f"{SRC}/{name}", (FUTURE, FUTURE))
    assert copy(f"{MNT}/{name}") == 8, name
    application(commit(9))
    assert copy(f"{MNT}/{name}") == 9, name
    application.close()
assert not log("busy")

for journal in ("delete", "wal"):
    path, mount = f"{SRC}/seconds/{journal}.db", f"{MNT}/seconds/{journal}.db"
    wal = ["PRAGMA locking_mode=EXCLUSIVE"] if journal == "wal" else []
    writer = Writer(path, *wal, f"PRAGMA journal_mode={journal}", "PRAGMA synchronous=OFF", *rows(1200, 4000), vfs="unix-none")
    wait_for(lambda: writer.done() > 2)
    assert os.stat(path).st_mtime_ns % 10 ** 9 == 0, "not whole seconds"
    served = 0
    for rest in (0, 250):
        writer.rest(rest)
        for _ in range(int(sys.argv[1])):
            before = writer.done()
            fd = refused(mount, errno.EBUSY)
            if fd is None:
                continue
            after = writer.begun()
            part = os.pread(fd, 1 << 20, 0)
            writer.await_commits(1)
            assert before <= judge(part + read(fd, len(part))) <= after
            os.close(fd)
            served += 1
    writer.end()
    print(f"# {journal}: {served} of {2 * int(sys.argv[1])} served", flush=True)

def look(path):
    st = os.lstat(path)
    return st.st_ctime_ns, st.st_size, st.st_ino

for journal in ("delete", "wal"):
    path, mount = f"{SRC}/seconds/same-{journal}.db", f"{MNT}/seconds/same-{journal}.db"
    application = Application(path, f"PRAGMA journal_mode={journal}", *rows(20))
    newest = path + "-wal" if journal == "wal" else path
    while True:
        application(commit(7))
        second = os.stat(newest).st_ctime
        pace.set_time_of_day(int(second) * 10 ** 9 + 5 * 10 ** 8)
        seen, n = look(mount), copy(mount)
        assert look(mount) == seen, "nothing was committed"
        application(commit(8))
        if os.stat(newest).st_ctime == second:
            break
    assert n == 7
    # The next run, later in that second or after it, finds that it has changed.
    for ns in (6 * 10 ** 8, 10 ** 9, 5 * 10 ** 9):
        pace.set_time_of_day(int(second) * 10 ** 9 + ns)
        again, n = look(mount), copy(mount)
        assert n == 8
        if ns == 5 * 10 ** 9:
            assert again != seen, f"{journal}: lost to who compares {seen}"
    assert look(mount) == again, "it moves though nothing is committed"
    application.close()
P
unmount_fs
