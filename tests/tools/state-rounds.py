#!/usr/bin/python3
"""state-rounds.py JOURNAL-MODE DATABASE ROUNDS: an application that opens, reads, writes and closes, again and again, and has no patience
in WAL mode, where nobody but a writer may keep it waiting. Exit 1 when it met an error. Says how often its last close left a WAL.
"""
import os
import sqlite3
import sys
import time

journal, path, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
errors = left = 0
slowest = 0.0
for n in range(rounds):
    started = time.monotonic()
    try:
        connection = sqlite3.connect(path, timeout=0 if journal == "wal" and n else 60, isolation_level=None)
        if n == 0:
            connection.execute(f"PRAGMA journal_mode={journal}").fetchall()
            connection.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, body)")
        connection.execute("PRAGMA synchronous=OFF")
        for _ in range(3):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT OR REPLACE INTO t VALUES(?, randomblob(3000))", (n % 100,))
            connection.execute("COMMIT")
        connection.execute("SELECT sum(length(body)) FROM t").fetchall()
        connection.close()
    except sqlite3.Error as error:
        errors += 1
        print(f"round {n}: {getattr(error, 'sqlite_errorname', '')}: {error}", flush=True)
        connection.close()
    left += os.path.exists(path + "-wal")
    slowest = max(slowest, time.monotonic() - started)
print(f"state-rounds: {rounds} rounds, {errors} errors, {left} closes left a WAL, slowest round {slowest * 1000:.0f} ms")
sys.exit(1 if errors else 0)
