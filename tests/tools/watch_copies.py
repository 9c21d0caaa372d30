"""For programs that a case feeds to Python (see stream/lib.sh): the application, and a watch on what the daemon writes."""
import os
import shutil
import sqlite3
import tempfile
import time


def written():
    """What the daemon has written to files so far, in bytes: its copies. (On a disk; tmpfs is not counted.)"""
    with open(f"/proc/{os.environ['DAEMON']}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("write_bytes"))


def copies():
    """How many snapshots the daemon holds."""
    fds, n = f"/proc/{os.environ['DAEMON']}/fd", 0
    for fd in os.listdir(fds):
        try:
            n += os.readlink(f"{fds}/{fd}").startswith(os.environ["SNAP"] + "/")
        except FileNotFoundError:
            pass
    return n


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


class Application:
    """A connection to a database that make_large made."""

    def __init__(self, path):
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA wal_autocheckpoint=0")
        self.commits = 0
        self.db.execute("SELECT * FROM n").fetchall()

    def commit(self, step=0):
        """A new version: page 1 and another; with step, also every so-manyth row."""
        self.commits += 1
        self.db.execute("BEGIN IMMEDIATE")
        self.db.execute("UPDATE n SET n = n + 1")
        self.db.execute(f"PRAGMA user_version={self.commits}")
        if step:
            self.db.execute(f"UPDATE t SET stamp = stamp + 1 WHERE id % {step} = 0")
        self.db.execute("COMMIT")

    def reset(self):
        """Puts the WAL into the main file. False if a reader keeps it from that."""
        return self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    def truth(self):
        """The bytes of the recovered and checkpointed database, while nobody commits."""
        with tempfile.TemporaryDirectory() as directory:
            copy = os.path.join(directory, "db")
            for side in ("", "-wal"):
                if os.path.exists(self.path + side):
                    shutil.copyfile(self.path + side, copy + side)
            db = sqlite3.connect(copy)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            db.close()
            with open(copy, "rb") as file:
                return file.read()
