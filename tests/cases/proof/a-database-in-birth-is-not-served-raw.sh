#!/usr/bin/env bash
# The first transaction of a new database outgrows the cache: pages of it are in the file, zeros where the first one will be, and
# nothing is committed. A dump that is read in, VACUUM INTO and a backup into a new file, each stopped there: an open is EBUSY, the
# journal is not listed, and who opened the file while it was empty does not get those pages, neither now nor later. When it is
# committed it opens; when it is rolled back the file is empty.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

mount_fs -o linger=0,busy_timeout=200
prove <<'P'
from proofs import *
import ctypes
EMPTY_PATH, FORCE_SYNC, SIZE = 0x1000, 0x2000, 0x200
libc = ctypes.CDLL(None, use_errno=True)
LARGE = 400 << 10
big = connect(T + "/big.db")
for statement in rows(1000) + [commit(7)]:
    big.execute(statement)
big.close()

def paused(function, path):
    """A child that has stopped itself in the middle of the birth."""
    pid = os.fork()
    if pid == 0:
        def pause():
            if not paused.done and os.path.getsize(path) > LARGE:
                paused.done = True
                os.kill(os.getpid(), signal.SIGSTOP)
        try:
            function(path, pause)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "it did not stop: nothing is proved"
    return pid
paused.done = False

def go_on(pid):
    os.kill(pid, signal.SIGCONT)
    _, status = os.waitpid(pid, 0)
    assert status == 0

def dump(path, pause):
    new = connect(path)
    for statement in ["PRAGMA cache_size=5", "BEGIN"] + rows(1000) + [commit(7)]:
        new.execute(statement)
    pause()
    new.execute("COMMIT")
    new.close()

def rolled_back(path, pause):
    new = connect(path)
    for statement in ["PRAGMA cache_size=5", "BEGIN"] + rows(1000):
        new.execute(statement)
    pause()
    new.execute("ROLLBACK")
    new.close()

def vacuum(path, pause):
    old = connect(T + "/big.db")
    old.execute("PRAGMA cache_size=5")
    old.set_progress_handler(pause, 10)
    old.execute(f"VACUUM INTO '{path}'")
    old.close()

def backup(path, pause):
    old, new = connect(T + "/big.db"), connect(path)
    new.execute("PRAGMA cache_size=5")
    old.backup(new, pages=10, progress=lambda *_: pause())
    new.close()

def no_raw(fd, what):
    """What was opened while it was empty shows that, or an error, never pages, once the kernel knows of its size."""
    assert libc.statx(fd, b"", EMPTY_PATH | FORCE_SYNC, SIZE, ctypes.create_string_buffer(256)) == 0
    for offset in (0, 10 * PAGE, LARGE - PAGE):
        try:
            assert os.pread(fd, PAGE, offset) == b"", f"{what}: raw pages"
        except OSError as error:
            assert error.errno == errno.EIO, error

for birth in (dump, rolled_back, vacuum, backup):
    name = birth.__name__ + ".db"
    path, mount = f"{SRC}/{name}", f"{MNT}/{name}"
    open(path, "w").close()
    early = os.open(mount, os.O_RDONLY)
    assert os.pread(early, PAGE, 0) == b""
    pid = paused(birth, path)
    sides = sorted(os.listdir(SRC))
    print(f"# {name}: {os.path.getsize(path)} bytes, beside it {[s for s in sides if s.startswith(name) and s != name]}", flush=True)
    assert contents(path)[:16] == bytes(16)
    no_raw(early, name)
    is_refused(mount, errno.EBUSY)
    assert not [n for n in os.listdir(MNT) if n.endswith("-journal")]
    assert name in os.listdir(MNT)
    no_raw(early, name)
    go_on(pid)
    no_raw(early, name + ", later")
    os.close(early)
    if birth is rolled_back:
        assert contents(mount) == b""
    else:
        assert copy(mount) == 7
        assert contents(mount) == contents(path)
P
unmount_fs
