#!/usr/bin/python3
"""probe-lock.py wal|delete DATABASE wait|try: the locks that a backup holds, seen from another process.

In WAL mode that is one of the read marks in the -shm, without which a checkpoint may overwrite what is being copied; in the
rollback modes the SHARED range of the database, without which a writer may.
wait: until somebody holds one (fcntl F_GETLK takes nothing). try: takes them for writing as SQLite does (F_SETLK), one
after the other, and prints "held" if one was refused, "lost" if none was.
"""
import fcntl
import os
import struct
import sys
import time

FLOCK = "hhqqi4x"
READ_MARKS = [(123 + i, 1) for i in range(5)]
SHARED = [(0x40000002, 510)]


def is_held(fd, start, length):
    asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    return struct.unpack(FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK


def is_refused(fd, start, length):
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except OSError:
        return True
    fcntl.lockf(fd, fcntl.LOCK_UN, length, start)
    return False


def main():
    wal, path, verb = sys.argv[1] == "wal", sys.argv[2], sys.argv[3]
    fd = os.open(path + "-shm" if wal else path, os.O_RDWR)
    ranges = READ_MARKS if wal else SHARED
    if verb == "try":
        print("held" if any([is_refused(fd, *r) for r in ranges]) else "lost")
        return
    end = time.monotonic() + 60
    while not any(is_held(fd, *r) for r in ranges):
        if time.monotonic() > end:
            raise SystemExit("nobody takes a lock: what does the backup rely on?")


main()
