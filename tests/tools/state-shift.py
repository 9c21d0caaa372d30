#!/usr/bin/python3
"""state-shift.py NAME STOP-FILE FILE...: makes NAME now this, now that: each of the FILEs (written in place, or renamed over), a symlink to
one, a directory, nothing, until STOP-FILE is there.

state-shift.py --read NAME ROUNDS FILE...: reads NAME so often; whatever can be read must be one of the FILEs from end to end, or
begin as it is being written in place and not be a database. Exit 1 otherwise.
"""
import errno
import os
import random
import shutil
import sys
import time

MAGIC = b"SQLite format 3\0"
# What the source itself says while this goes on.
HONEST = {errno.ENOENT, errno.EISDIR, errno.ELOOP}


def away(name):
    try:
        os.rmdir(name)
    except NotADirectoryError:
        os.unlink(name)
    except FileNotFoundError:
        pass


def shift(name, stop, files):
    chance = random.Random(1)
    while not os.path.exists(stop):
        source, how = chance.choice(files), chance.randrange(6)
        if how in (0, 1, 2) and not os.path.isdir(name):
            shutil.copyfile(source, name + ".new")
            os.rename(name + ".new", name)
            continue
        away(name)
        if how == 3:
            os.mkdir(name)
        elif how == 4:
            os.symlink(source, name)
        elif how == 5:
            shutil.copyfile(source, name)


def read(name, rounds, files):
    known = []
    for file in files:
        with open(file, "rb") as source:
            known.append(source.read())
    databases = [data for data in known if data.startswith(MAGIC)]
    counts, bad, n, end = {}, 0, 0, time.monotonic() + 600
    # What is no database may be remembered for a second: go on until both have been met often enough.
    while n < rounds or min(counts.get("database", 0), counts.get("file", 0)) < 100:
        if time.monotonic() > end:
            print("state-shift: the one or the other never comes")
            bad += 1
            break
        n += 1
        try:
            with open(name, "rb", buffering=0) as file:
                size, data = os.fstat(file.fileno()).st_size, b""
                while more := file.read(100000):
                    data += more
        except OSError as error:
            said = errno.errorcode[error.errno]
            counts[said] = counts.get(said, 0) + 1
            # A file that is being written in place is a truncated database for a moment: EIO.
            bad += error.errno not in HONEST | {errno.EIO, errno.EBUSY, errno.ESTALE}
            continue
        if data.startswith(MAGIC):
            good = data in databases and size == len(data)
        else:
            good = any(whole.startswith(data) for whole in known) or not data
        what = "database" if good and data.startswith(MAGIC) else "file" if good else "MIXTURE"
        counts[what] = counts.get(what, 0) + 1
        bad += not good
    # The kernel repeats a walk that met ESTALE once; a name that is replaced hundreds of times a second may lose twice.
    stale = counts.get("ESTALE", 0)
    bad += stale if stale > 5 + n / 1000 else 0
    print(f"state-shift: {counts}")
    return 1 if bad else 0


if sys.argv[1] == "--read":
    sys.exit(read(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
shift(sys.argv[1], sys.argv[2], sys.argv[3:])
