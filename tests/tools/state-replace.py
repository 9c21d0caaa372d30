#!/usr/bin/python3
"""state-replace.py JOURNAL-MODE DATABASE RECORD READY: an application that replaces its database by another again and again, as it
may: it closes, renames a new one over it, opens that and commits to it. All look alike, but their money, the sum of which
state-reader.py knows, is not spread alike: the WAL of one with the pages of another has the wrong sum. RECORD is as for that.
SIGTERM ends it.
"""
import mmap
import os
import signal
import sqlite3
import sys


def make(path, journal, generation):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode={journal}").fetchall()
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER, pad BLOB)")
    for table in ("one", "two", "three"):
        connection.execute(f"CREATE TABLE {table}(seq INTEGER)")
        connection.execute(f"INSERT INTO {table} VALUES(?)", (generation,))
    for i in range(200):
        balance = 1000 + generation if i < 100 else 1000 - generation
        connection.execute("INSERT INTO accounts VALUES(?, ?, randomblob(700))", (i, balance))
    connection.execute("COMMIT")
    connection.close()


def use(path, record, generation):
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("BEGIN IMMEDIATE")
    for table in ("one", "two", "three"):
        connection.execute(f"UPDATE {table} SET seq = ?", (generation + 1,))
    connection.execute("UPDATE accounts SET pad = randomblob(700) WHERE id < 100")
    record[0] = generation + 1
    connection.execute("COMMIT")
    record[1] = generation + 1
    connection.execute("SELECT count(*) FROM accounts").fetchall()
    connection.close()


def main():
    journal, path, record_path, ready = sys.argv[1:]
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    with open(record_path, "w+b") as file:
        file.truncate(4096)
        record = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
    generation = left = 0
    while not stop:
        generation += 2
        make(path + ".new", journal, generation)
        record[0] = generation
        # With a WAL of the old one beside it, it would be lost: as long as another process has it open, a close leaves that.
        while os.path.exists(path + "-wal"):
            left += 1
            connection = sqlite3.connect(path, timeout=60)
            connection.execute("SELECT count(*) FROM one").fetchall()
            connection.close()
        os.rename(path + ".new", path)
        record[1] = generation
        use(path, record, generation)
        if generation == 2:
            open(ready, "w").close()
    print(f"state-replace: {generation // 2} databases, {left} closes left a WAL")


main()
