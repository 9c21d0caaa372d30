#!/usr/bin/python3
"""An application that commits to a database, told what to do line by line.

writer.py DATABASE: opens it and says "ready". Then, on stdin:
    spread BYTES   checkpoints, then changes that much of the database, a row here and there, in the WAL, where it stays
    go RATE        commits so many times a second, or without pause if RATE is 0
    halt           stops that, and answers with one line of JSON: commits, seconds, busy (SQLITE_BUSY seen by a WAL writer),
                   stalls: [begin, end] of every commit that took 2 ms or more, by the monotonic clock
    commit         commits once
    hold           answers once all before is done
It ends at the end of stdin.
"""
import json
import os
import select
import sqlite3
import sys
import time

STALL_S = 0.002
PAGE = 4096


class Writer:
    def __init__(self, path):
        self.db = sqlite3.connect(path, isolation_level=None, timeout=0)
        self.wal = self.db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.rows = self.db.execute("SELECT max(id) FROM t").fetchone()[0]
        self.at = 0
        self.clear()

    def clear(self):
        self.commits = self.busy = 0
        self.stalls = []
        self.begun = time.monotonic()

    def insist(self, statement):
        """Our own waiting, finer than SQLite's busy handler, which would add up to 100 ms to what is measured."""
        while True:
            try:
                return self.db.execute(statement)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                self.busy += self.wal
                time.sleep(0.0005)

    def commit(self):
        self.at = (self.at + 7919) % self.rows
        begin = time.monotonic()
        self.insist("BEGIN IMMEDIATE")
        self.insist(f"UPDATE t SET stamp = stamp + 1 WHERE id = {self.at + 1}")
        self.insist("COMMIT")
        end = time.monotonic()
        self.commits += 1
        if end - begin >= STALL_S:
            self.stalls.append([begin, end])

    def spread(self, size):
        self.db.execute("PRAGMA wal_autocheckpoint=0")
        while self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            time.sleep(0.01)
        step = max(1, self.rows * PAGE // size)
        self.db.execute(f"UPDATE t SET stamp = stamp + 1 WHERE id % {step} = 0")

    def halt(self):
        print(json.dumps({"commits": self.commits, "seconds": time.monotonic() - self.begun, "busy": self.busy,
                          "stalls": self.stalls}), flush=True)


def lines(pause):
    """The lines of stdin; None whenever none has come within pause() seconds."""
    rest = b""
    while True:
        line, end, after = rest.partition(b"\n")
        if end:
            rest = after
            yield line.decode()
        elif not select.select([0], [], [], pause())[0]:
            yield None
        else:
            data = os.read(0, 4096)
            if not data:
                return
            rest += data


def main():
    writer = Writer(sys.argv[1])
    pause = None
    print("ready", flush=True)
    for line in lines(lambda: pause):
        if line is None:
            writer.commit()
            continue
        words = line.split()
        if words[0] == "spread":
            writer.spread(int(words[1]))
        elif words[0] == "go":
            pause = 1 / float(words[1]) if float(words[1]) else 0
            writer.clear()
        elif words[0] == "halt":
            pause = None
            writer.halt()
        elif words[0] == "commit":
            writer.commit()
        elif words[0] == "hold":
            print("held", flush=True)


main()
