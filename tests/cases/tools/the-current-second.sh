#!/usr/bin/env bash
# T1: rsync compares whole seconds, so a commit must not show with a time that another commit may still get. smudge: until the
# second is over, lookup, listing, open and fstat tell the end of the second before; then the true times. wait: lstat tells the
# truth, open waits for the end of the second, and what is committed meanwhile is in the snapshot. off: neither.
# The case sets the time of day, by the times that the commits have got: each moment lasts as long as the machine needs to look.
# Usage: the-current-second.sh smudge|wait|off
. "$(dirname "$0")/../lib.sh"

paced
mount_fs -o "racy=$1" -o linger=0
PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1 "$PYTHON" - "$1" "$SRC" "$MNT" "$(scaled 4)" <<'P'
import os, signal, sqlite3, sys, threading
from pace import Pace
from watch_copies import wait_for
racy, source, mount, rounds = sys.argv[1:]
SECOND = 10 ** 9
TICK = 20 * 10 ** 6
pace = Pace()
pace.stand_still()
def truth(name):
    main = os.lstat(f"{source}/{name}")
    mtime, ctime = main.st_mtime_ns, main.st_ctime_ns
    if os.path.exists(f"{source}/{name}-wal"):
        wal = os.lstat(f"{source}/{name}-wal")
        if wal.st_size > 0:
            mtime, ctime = max(mtime, wal.st_mtime_ns), max(ctime, wal.st_mtime_ns)
    return mtime, ctime
def times(st):
    return st.st_mtime_ns, st.st_ctime_ns
def value(file):
    """The bytes as they come, in a database of their own."""
    with open(source + "/../look.db", "wb") as copy:
        copy.write(file.read())
    look = sqlite3.connect("file:" + source + "/../look.db?immutable=1", uri=True)
    (x,) = look.execute("SELECT x FROM t").fetchone()
    look.close()
    return x
def show(name):
    """All ways to ask; an open file's fstat must go on saying what it says."""
    path = f"{mount}/{name}"
    # Who waits here waits for ever: no time passes.
    signal.alarm(60)
    file = open(path, "rb")
    signal.alarm(0)
    told = {"lstat": times(os.lstat(path)), "open": times(os.fstat(file.fileno())),
            "scandir": next(times(e.stat(follow_symlinks=False)) for e in os.scandir(mount) if e.name == name)}
    return file, told
def same(told, what):
    for how, is_told in told.items():
        assert is_told == what, f"{name}: {how} tells {is_told}, not {what}"
def commit(writer):
    """Its value; retried should it lie so that main file and WAL, or mtime and ctime, are of two seconds."""
    while True:
        ((x,),) = writer.execute("UPDATE t SET x = x + 1 RETURNING x").fetchall()
        mtime, ctime = truth(name)
        if mtime // SECOND == ctime // SECOND:
            return x
def moments(name):
    """One in the second of the last commit, one when it is over but for the last clock tick, and one after it."""
    mtime, ctime = truth(name)
    end = (mtime // SECOND + 1) * SECOND
    return max(mtime, ctime) + 1000, end + TICK - 1000, end + TICK + 1000
def waits(name, writer, now):
    path = f"{mount}/{name}"
    told = times(os.lstat(path))
    assert told == truth(name), f"{name}: lstat tells {told}, not {truth(name)}"
    seen = []
    def visit():
        with open(path, "rb") as file:
            fixed = times(os.fstat(file.fileno()))
            seen.append((fixed, value(file)))
    thread = threading.Thread(target=visit)
    over = moments(name)[2]
    thread.start()
    wait_for(lambda: in_a_request(thread) or seen)
    late = commit(writer)
    for _ in range(20):
        os.lstat(path)
    assert not seen, f"{name}: open did not wait for the end of its second"
    pace.set_time_of_day(over)
    pace.move((over - now) / SECOND)
    finish(thread)
    ((fixed, x),) = seen
    assert fixed == truth(name), f"{name}: fstat tells {fixed}, not {truth(name)}"
    assert x == late, f"{name}: a commit of the same second is missing"
    pace.set_time_of_day(moments(name)[2])
    show(name)[0].close()
def finish(thread):
    def is_over():
        pace.move(0.01)
        return not thread.is_alive()
    wait_for(is_over)
def in_a_request(thread):
    with open(f"/proc/self/task/{thread.native_id}/wchan", encoding="ascii") as wchan:
        where = wchan.read()
    return "fuse" in where or "request_wait" in where
def one(name, writer, moment):
    before = os.lstat(f"{mount}/{name}")
    commit(writer)
    true = truth(name)
    now = moments(name)[moment]
    pace.set_time_of_day(now)
    if racy == "wait":
        waits(name, writer, now)
        return
    file, told = show(name)
    with file:
        if racy == "off":
            same(told, true)
        else:
            for how, (mtime, ctime) in told.items():
                assert mtime == true[0] // SECOND * SECOND - 1, f"{name}: {how} tells mtime {mtime} of {true[0]}"
                assert ctime == told["lstat"][1], f"{name}: {how} tells another ctime than lstat: {told}"
        fixed = told["open"]
        pace.set_time_of_day(moments(name)[2])
        pace.move((moments(name)[2] - now) / SECOND)
        assert times(os.fstat(file.fileno())) == fixed, f"{name}: the times of an open file have moved"
        again, told = show(name)
        again.close()
        same(told, true)
        assert os.lstat(f"{mount}/{name}").st_size == before.st_size
for name, journal in (("wal.db", "wal"), ("delete.db", "delete")):
    writer = sqlite3.connect(f"{source}/{name}", isolation_level=None, timeout=60)
    writer.execute(f"PRAGMA journal_mode={journal}")
    writer.execute("CREATE TABLE t(x)")
    writer.execute("INSERT INTO t VALUES(1000)")
    for number in range(int(rounds)):
        one(name, writer, number % 2)
P
unmount_fs
