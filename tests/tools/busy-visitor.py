#!/usr/bin/python3
"""busy-visitor.py MOUNT COUNT: looks at and reads the other files COUNT times; says what took longest."""
import os
import sys
import time

mount, count = sys.argv[1], int(sys.argv[2])


def look():
    for name in ("dir/1", "big.db", "small.db", "dir"):
        os.lstat(os.path.join(mount, name))


def listing():
    for entry in os.scandir(os.path.join(mount, "dir")):
        entry.stat()


def read():
    for i in (1, 25, 50):
        with open(os.path.join(mount, "dir", str(i)), encoding="ascii") as file:
            assert file.read() == f"{i}\n"


def database():
    with open(os.path.join(mount, "small.db"), "rb") as file:
        assert file.read(15) == b"SQLite format 3"


slowest = (0, "nothing")
for i in range(count):
    for visit in (look, listing, read, database):
        start = time.monotonic()
        visit()
        slowest = max(slowest, (time.monotonic() - start, visit.__name__))
print(f"slowest of {4 * count} visits: {slowest[1]}, {slowest[0] * 1000:.1f} ms")
