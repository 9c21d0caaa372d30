#!/usr/bin/env bash
# T1: rsync compares whole seconds, so a commit must not show with a time that another commit may still get. smudge: until the
# second is over, lookup, listing, open and fstat tell the end of the second before; then the true times. wait: lstat tells the
# truth, open waits for the end of the second, and what is committed meanwhile is in the snapshot. off: neither.
# Usage: the-current-second.sh smudge|wait|off
. "$(dirname "$0")/../lib.sh"

mount_fs -o "racy=$1" -o linger=0
"$PYTHON" - "$1" "$SRC" "$MNT" "$(scaled 2)" <<'P'
import os, sqlite3, sys, threading, time
racy, source, mount, rounds = sys.argv[1:]
SECOND = 10 ** 9
TICK = 20 * 10 ** 6
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
def until(ns):
    while time.time_ns() < ns:
        time.sleep(0.001)
def begin_of_a_second():
    now = time.time_ns()
    if now % SECOND > SECOND // 4:
        until((now // SECOND + 1) * SECOND + TICK)
def show(name):
    """All ways to ask; an open file's fstat must go on saying what it says."""
    path = f"{mount}/{name}"
    file = open(path, "rb")
    told = {"lstat": times(os.lstat(path)), "open": times(os.fstat(file.fileno())),
            "scandir": next(times(e.stat(follow_symlinks=False)) for e in os.scandir(mount) if e.name == name)}
    return file, told
def same(told, what):
    for how, is_told in told.items():
        assert is_told == what, f"{name}: {how} tells {is_told}, not {what}"
def one(name, writer):
    """False: the machine was too slow to see anything within one second."""
    begin_of_a_second()
    before = os.lstat(f"{mount}/{name}")
    second = time.time_ns() // SECOND
    writer.execute("UPDATE t SET x = x + 1")
    true = truth(name)
    started = time.monotonic()
    if racy == "wait":
        told = times(os.lstat(f"{mount}/{name}"))
        late = []
        def commit_late():
            until(second * SECOND + SECOND * 6 // 10)
            late.append(writer.execute("UPDATE t SET x = x + 1 RETURNING x").fetchall()[0][0])
        thread = threading.Thread(target=commit_late)
        if time.time_ns() > second * SECOND + SECOND // 2:
            return False
        started = time.monotonic()
        thread.start()
        with open(f"{mount}/{name}", "rb") as file:
            took, now = time.monotonic() - started, time.time_ns()
            fixed = times(os.fstat(file.fileno()))
            thread.join()
            if truth(name)[0] // SECOND != second:
                return False
            assert told == true, f"{name}: lstat tells {told}, not {true}"
            assert now >= (second + 1) * SECOND, f"{name}: open did not wait for the end of its second"
            assert fixed == truth(name), f"{name}: fstat tells {fixed}, not {truth(name)}"
            assert value(file) == late[0], f"{name}: a commit of the same second is missing"
            waits.append(took)
        started = time.monotonic()
        open(f"{mount}/{name}", "rb").close()
        prompts.append(time.monotonic() - started)
        return True
    file, told = show(name)
    with file:
        took = time.monotonic() - started
        if time.time_ns() // SECOND != second or true[0] // SECOND != second:
            return False
        prompts.append(took)
        if racy == "off":
            same(told, true)
        else:
            for how, (mtime, ctime) in told.items():
                assert mtime == second * SECOND - 1, f"{name}: {how} tells mtime {mtime} in second {second}"
                assert ctime == told["lstat"][1], f"{name}: {how} tells another ctime than lstat: {told}"
        fixed = told["open"]
        until((second + 1) * SECOND + TICK + SECOND // 100)
        assert times(os.fstat(file.fileno())) == fixed, f"{name}: the times of an open file have moved"
        again, told = show(name)
        again.close()
        same(told, true)
        assert os.lstat(f"{mount}/{name}").st_size == before.st_size
    return True
prompts, waits = [], []
for name, journal in (("wal.db", "wal"), ("delete.db", "delete")):
    writer = sqlite3.connect(f"{source}/{name}", isolation_level=None, timeout=60, check_same_thread=False)
    writer.execute(f"PRAGMA journal_mode={journal}")
    writer.execute("CREATE TABLE t(x)")
    writer.execute("INSERT INTO t VALUES(1000)")
    seen = 0
    for attempt in range(60):
        seen += one(name, writer)
        if seen == int(rounds):
            break
    assert seen == int(rounds), f"{name}: only {seen} of {attempt + 1} attempts were within one second"
assert min(prompts) < 0.5, f"an open that need not wait took {min(prompts)} s"
if waits:
    assert min(waits) <= 1.1 and max(waits) < 5, f"opens waited {waits} s"
P
unmount_fs
