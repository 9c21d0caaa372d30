#!/usr/bin/env bash
# Who owns a directory may give its files any name: root's private file becomes x.db-wal beside a database, and a WAL-index that fits.
# It was not made by SQLite for that database, whose owner and mode it would have: EACCES and a line, never its bytes. Nor is a
# -wal, -shm or -journal used that is a symlink, a fifo or a device, and none of them holds up an open.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

need_root 'makes files of several owners'
mount_fs -o allow_other,linger=0,busy_timeout=500
prove <<'P'
from proofs import *
import shutil
USER = 65534
SECRET = "'only root may read this'"

def make(name, *more):
    """A live WAL database whose last commit is in the WAL only."""
    application = Application(f"{SRC}/{name}.db", "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", *rows(20), commit(6),
                              "PRAGMA wal_checkpoint", f"UPDATE t SET body = {SECRET} WHERE id = 3", *more, commit(7))
    for side in ("", "-wal", "-shm"):
        os.chown(f"{SRC}/{name}.db{side}", USER, USER)
        os.chmod(f"{SRC}/{name}.db{side}", 0o644)
    assert copy(f"{MNT}/{name}.db") == 7, "as SQLite makes them they are used"
    return application

def forbidden(name):
    number = len(log(f"/{name}.db", "it was not made by SQLite"))
    pid = os.fork()
    if pid == 0:
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        is_refused(f"{MNT}/{name}.db", errno.EACCES)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    wait_for(lambda: len(log(f"/{name}.db", "it was not made by SQLite")) > number)
    assert f"{name}.db" in os.listdir(MNT)

for side in ("-wal", "-shm"):
    for mode, owner in ((0o600, 0), (0o600, USER), (0o640, 0)):
        name = f"live{side}-{mode:o}-{owner}"
        application = make(name)
        os.chown(f"{SRC}/{name}.db{side}", owner, owner)
        os.chmod(f"{SRC}/{name}.db{side}", mode)
        forbidden(name)
        application.crash()
        if side == "-wal":
            forbidden(name)

left = make("left")
left.crash()
shutil.move(SRC + "/left.db-wal", T + "/wal")
os.unlink(SRC + "/left.db-shm")
for side in ("-wal", "-journal"):
    os.symlink(T + "/wal", SRC + "/left.db" + side)
    forbidden("left")
    os.unlink(SRC + "/left.db" + side)
# What is no file has nothing in it: main alone is the database, as without it.
for side in ("-wal", "-shm", "-journal"):
    for kind in ("fifo", "device"):
        path = SRC + "/left.db" + side
        if kind == "fifo":
            os.mkfifo(path)
        else:
            os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
        fd = refused(MNT + "/left.db", errno.EACCES, errno.EBUSY)
        got = None
        if fd is not None:
            got = judge(read(fd))
            os.close(fd)
        print(f"# {side} as a {kind}: {got}", flush=True)
        assert got in (None, 6)
        os.unlink(path)
assert copy(MNT + "/left.db") == 6
P
unmount_fs
