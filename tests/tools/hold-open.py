#!/usr/bin/python3
"""Holds databases open as an application does, until it is killed.

hold-open.py wal|shared|reserved|exclusive READY-FILE DATABASE...
wal: a connection in WAL mode that has committed nothing; shared: a read transaction; reserved: that lock of a
rollback-mode database; exclusive: in the middle of a transaction that has outgrown the cache, with pages of it already in
the file and no journal beside it: nobody can have a consistent copy. READY-FILE is made once all are held; SIGTERM rolls back and ends it.
"""
import signal
import sqlite3
import sys

STATEMENTS = {
    "wal": ["SELECT count(*) FROM sqlite_schema"],
    "shared": ["BEGIN", "SELECT count(*) FROM sqlite_schema"],
    "reserved": ["BEGIN IMMEDIATE"],
    "exclusive": ["PRAGMA cache_size=5", "PRAGMA journal_mode=MEMORY", "BEGIN EXCLUSIVE", "CREATE TABLE held(x)",
                  "WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < 100) "
                  "INSERT INTO held SELECT randomblob(1000) FROM k"],
}


def main():
    connections = []
    for path in sys.argv[3:]:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        for statement in STATEMENTS[sys.argv[1]]:
            connection.execute(statement).fetchall()
        connections.append(connection)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    open(sys.argv[2], "w").close()
    try:
        while True:
            signal.pause()
    finally:
        for connection in connections:
            connection.close()


main()
