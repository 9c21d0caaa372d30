#!/usr/bin/python3
"""state-reader.py [OPTION...] FILE RECORD: copies FILE, which state-writer.py writes, through the mount and judges each copy.

A good copy passes integrity_check, has all the money, one number in all three tables, and that is at least what had been
acknowledged before open() was called, and at most what had begun when it returned. Size and times must hold still while it is
open. --busy-allowed: EBUSY is an answer, and counted. Exit 1 when a copy was bad or could not be had, or when fewer than
--least were good, or when an open took too long.
"""
import argparse
import contextlib
import errno
import mmap
import os
import random
import sqlite3
import sys
import threading
import time

from pace import Pace

MONEY = 200 * 1000


def attributes(fd):
    st = os.fstat(fd)
    return st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_nlink


def judge(data, acked, begun):
    if data[:16] != b"SQLite format 3\0":
        return f"{len(data)} bytes without the magic"
    page_size = int.from_bytes(data[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    if int.from_bytes(data[28:32], "big") * page_size != len(data):
        return f"{len(data)} bytes, the header counts {int.from_bytes(data[28:32], 'big')} pages"
    # SQLite does not take WAL mode in memory.
    data = data[:18] + b"\1\1" + data[20:]
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        check = connection.execute("PRAGMA integrity_check(3)").fetchall()
        if check != [("ok",)]:
            return f"integrity_check: {check}"
        money = connection.execute("SELECT sum(balance) FROM accounts").fetchone()[0]
        if money != MONEY:
            return f"{money} in all accounts"
        numbers = [connection.execute(f"SELECT seq FROM {table}").fetchone()[0] for table in ("one", "two", "three")]
        if len(set(numbers)) != 1:
            return f"numbers {numbers}"
        if not acked <= numbers[0] <= begun:
            return f"number {numbers[0]}, but {acked} had been acknowledged and {begun} had begun"
    except sqlite3.Error as error:
        return str(error)
    finally:
        connection.close()
    return None


class OpenClock:
    """The clock of litesnapfs-paced: goes while something is opened, but no longer than so many seconds; then that must be over."""

    def __init__(self, seconds):
        self.pace, self.seconds = Pace(), seconds
        self.pace.stand_still()
        self.number, self.opening = 0, threading.Event()
        threading.Thread(target=self.go, daemon=True).start()

    def __enter__(self):
        self.number += 1
        self.opening.set()

    def __exit__(self, *_):
        self.opening.clear()

    def go(self):
        number = None
        while self.opening.wait():
            if number != self.number:
                number, gone, began = self.number, 0.0, time.monotonic()
            if gone < self.seconds:
                self.pace.move(0.01)
                gone += 0.01
            elif time.monotonic() > began + self.seconds + 60:
                print(f"state-reader: an open takes longer than {self.seconds} s", flush=True)
                os._exit(1)
            time.sleep(0.01)


class Reader:
    def __init__(self, options):
        self.options = options
        with open(options.record, "rb") as file:
            self.record = memoryview(mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)).cast("Q")
        self.random = random.Random(options.seed)
        self.good = self.bad = self.busy = self.errors = self.stale = 0
        self.slowest = 0
        self.clock = OpenClock(options.no_longer) if options.no_longer else contextlib.nullcontext()

    def copy(self):
        acked, started = self.record[1], time.monotonic()
        try:
            with self.clock:
                fd = os.open(self.options.file, os.O_RDONLY)
        finally:
            begun = self.record[0]
            self.slowest = max(self.slowest, time.monotonic() - started)
        try:
            opened = attributes(fd)
            data, chunk = b"", self.random.choice((10 << 10, 128 << 10, 1 << 20))
            while more := os.read(fd, chunk):
                data += more
            if attributes(fd) != opened:
                return f"attributes moved: {opened}, {attributes(fd)}"
            if opened[0] != len(data):
                return f"fstat says {opened[0]}, read gave {len(data)}"
        finally:
            os.close(fd)
        return judge(data, acked, begun)

    def round(self):
        try:
            why = self.copy()
        except OSError as error:
            if error.errno == errno.EBUSY and self.options.busy_allowed:
                self.busy += 1
            elif error.errno == errno.ESTALE:
                self.stale += 1
            else:
                self.errors += 1
                print(f"state-reader: {error}", flush=True)
            return
        if why:
            self.bad += 1
            print(f"state-reader: bad: {why}", flush=True)
        else:
            self.good += 1

    def run(self):
        end = time.monotonic() + self.options.seconds
        for _ in range(self.options.snapshots):
            self.round()
            now = time.monotonic()
            if self.bad + self.errors > 10 or (now > end and (self.good >= self.options.least or now > end + 60)):
                break
        # The kernel repeats a walk that met ESTALE once; a name that is replaced hundreds of times a second may lose twice.
        self.errors += self.stale if self.stale > 2 + self.good / 200 else 0
        print(f"state-reader: {self.good} good, {self.bad} bad, {self.busy} busy, {self.errors} errors, {self.stale} stale, "
              f"slowest open {self.slowest:.2f} s", flush=True)
        return 1 if self.bad or self.errors or self.good < self.options.least else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--snapshots", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1e9, help="at most, once there are --least good ones")
    parser.add_argument("--least", type=int, default=1)
    parser.add_argument("--no-longer", type=float, help="the seconds that an open may take, by the clock in $PACE")
    parser.add_argument("--busy-allowed", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("file")
    parser.add_argument("record")
    return Reader(parser.parse_args()).run()


sys.exit(main())
