#!/usr/bin/env python3
"""Makes the seeds in corpus/ anew with Python's sqlite3. The committed ones suffice; what a fuzzer finds is added by hand."""
import os
import shutil
import signal
import sqlite3
import struct
import sys
import tempfile

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")

FILL = ("create table t(a); create index i on t(a);"
        "with recursive n(i) as (select 1 union all select i+1 from n where i<6) insert into t select zeroblob(i*90) from n;")

# name: page size, statements
states = {
    "wal": (512, "pragma journal_mode=wal;" + FILL),
    "wal-grown": (512, "pragma journal_mode=wal;" + FILL + "pragma wal_checkpoint; insert into t values(zeroblob(3000));"),
    "wal-restarted": (512, "pragma journal_mode=wal;" + FILL + "pragma wal_checkpoint(restart); insert into t values(1);"),
    "wal-uncommitted": (512, "pragma journal_mode=wal; pragma cache_size=1;" + FILL +
                        "begin; insert into t select zeroblob(400) from t a, t b limit 9;"),
    "wal-large-pages": (4096, "pragma journal_mode=wal; create table t(a);"),
    "wal-empty": (512, "pragma journal_mode=wal;" + FILL + "pragma wal_checkpoint(truncate);"),
    "rollback": (512, FILL),
    "rollback-hot": (512, "pragma cache_size=1;" + FILL +
                     "begin; update t set a=zeroblob(300); insert into t select zeroblob(400) from t a, t b limit 9;"),
    "rollback-persist": (512, "pragma journal_mode=persist;" + FILL),
    "rollback-auto-vacuum": (512, "pragma auto_vacuum=full;" + FILL + "delete from t where rowid>2;"),
}


def crash(path, page_size, statements):
    """Runs statements in a process that is then killed."""
    pid = os.fork()
    if pid == 0:
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("pragma page_size=%d" % page_size)
        db.executescript(statements)
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not os.WIFSIGNALED(status):
        sys.exit("%s failed" % statements)


def content(path):
    return open(path, "rb").read() if os.path.exists(path) else b""


def main():
    for name, (page_size, statements) in states.items():
        directory = tempfile.mkdtemp()
        path = os.path.join(directory, "db")
        crash(path, page_size, statements)
        parts = [content(path + suffix) for suffix in ("", "-wal", "-journal")]
        head = struct.pack(">BII", 1, len(parts[0]), len(parts[1]))
        with open(os.path.join(here, "source", name), "wb") as out:
            out.write(head + b"".join(parts))
        for suffix in ("", "-wal", "-shm", "-journal"):
            piece = content(path + suffix)[:4096]
            if piece and name in ("wal", "wal-large-pages", "rollback", "rollback-hot"):
                with open(os.path.join(here, "format", name + (suffix or "-main")), "wb") as out:
                    out.write(piece.rstrip(b"\0") if suffix == "-shm" else piece)
        shutil.rmtree(directory)


main()
