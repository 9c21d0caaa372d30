#!/usr/bin/python3
"""check-profiles.py [--recovered DIRECTORY] PROFILES COPY: every database below PROFILES must be in COPY, alone, and pass integrity_check. Says how many of them no
SQLite reader could have opened in place (PROFILES), and how many had content in a WAL.
--recovered: nobody writes to PROFILES now; each copy must equal, byte for byte, what SQLite recovers in DIRECTORY of the raw files."""
import os
import shutil
import sqlite3
import sys

MAGIC = b"SQLite format 3\0"


def databases(root):
    for directory, _, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            try:
                with open(path, "rb") as file:
                    if file.read(16) == MAGIC:
                        yield os.path.relpath(path, root)
            except OSError:
                pass


def check(path):
    """The number of rows in all its tables, or why it is bad."""
    for side in ("-wal", "-shm", "-journal"):
        if os.path.exists(path + side):
            return f"a {side} was copied"
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    try:
        connection.execute("PRAGMA writable_schema=ON")
        result = connection.execute("PRAGMA integrity_check(3)").fetchall()
        return None if result == [("ok",)] else str(result)
    except sqlite3.Error as error:
        return str(error)
    finally:
        connection.close()


def recovered(live, directory):
    """The pages that SQLite makes of the raw files; not what an application has reserved behind them (SQLITE_FCNTL_CHUNK_SIZE)."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "x.db")
    for side in ("", "-wal", "-journal"):
        if os.path.exists(path + side):
            os.unlink(path + side)
        if os.path.exists(live + side):
            shutil.copyfile(live + side, path + side)
    connection = sqlite3.connect(path)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    connection.close()
    with open(path, "rb") as file:
        data = file.read()
    page_size = int.from_bytes(data[16:18], "big")
    return data[:int.from_bytes(data[28:32], "big") * (65536 if page_size == 1 else page_size)]


directory = None
if sys.argv[1] == "--recovered":
    directory = sys.argv[2]
    del sys.argv[1:3]
profiles, copy = sys.argv[1:]
names = sorted(databases(profiles))
locked = with_wal = bad = 0
for name in names:
    live = os.path.join(profiles, name)
    with_wal += os.path.exists(live + "-wal") and os.path.getsize(live + "-wal") > 32
    try:
        # Of the exclusive ones, every reader is refused; mode=ro is the mildest way to ask.
        connection = sqlite3.connect(f"file:{live}?mode=ro&readonly_shm=1", uri=True, timeout=0.2)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        connection.close()
    except sqlite3.OperationalError as error:
        locked += "locked" in str(error)
    path = os.path.join(copy, name)
    why = check(path) if os.path.exists(path) else "was not copied"
    if not why and directory:
        with open(path, "rb") as file:
            why = None if file.read() == recovered(live, directory) else "is not what SQLite recovers of the source"
    if why:
        bad += 1
        print(f"BAD: {name}: {why}")
print(f"{len(names)} databases, {with_wal} with content in a WAL, {locked} locked to every reader; {bad} bad copies")
sys.exit(1 if bad or not names else 0)
