#!/usr/bin/python3
"""state-writer.py [OPTION...] DATABASE RECORD READY: an application that does to its database whatever applications do.

Every transaction moves money between accounts whose sum is fixed, and stamps one number into three tables that lie apart.
RECORD, mapped by state-reader.py too, holds that number before COMMIT ("begun") and after it ("acked"). READY is made after the
first commit. In between it does what --do names, at random: checkpoint (all kinds), vacuum, schema (tables, columns and indexes
come and go), shrink (incremental_vacuum), switch (journal_mode WAL <-> DELETE), reopen (close and open again), crash (is killed,
and starts again), pause, ponder (a pause with pages of a transaction in the file). SIGTERM ends it; exit 1 when it met an error.
"""
import argparse
import mmap
import os
import random
import signal
import sqlite3
import sys
import time

ACCOUNTS, BALANCE = 200, 1000


class Writer:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed + os.getpid() if "crash" in options.do else options.seed)
        with open(options.record, "r+b") as file:
            self.record = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
        self.connection = None
        self.stop = False
        self.errors = self.done = self.refused = 0

    def connect(self):
        name = f"file:{self.options.database}?vfs={self.options.vfs}" if self.options.vfs else self.options.database
        self.connection = sqlite3.connect(name, timeout=60, isolation_level=None, uri=bool(self.options.vfs))
        if self.options.locking:
            self.run(f"PRAGMA locking_mode={self.options.locking}")
        if self.options.journal != "wal":
            self.run(f"PRAGMA journal_mode={self.options.journal}")
        # A small cache: pages of a transaction that has not committed are in the file, or in the WAL.
        self.run(f"PRAGMA cache_size={self.options.cache}")
        self.run(f"PRAGMA synchronous={self.options.synchronous}")
        self.run("SELECT count(*) FROM one")

    def run(self, statement, *values):
        return self.connection.execute(statement, values).fetchall()

    def create(self):
        self.connection = sqlite3.connect(self.options.database, isolation_level=None)
        self.run(f"PRAGMA page_size={self.options.page_size}")
        self.run(f"PRAGMA auto_vacuum={self.options.auto_vacuum}")
        self.run(f"PRAGMA journal_mode={self.options.journal}")
        self.run("PRAGMA synchronous=OFF")
        self.run("BEGIN")
        self.run("CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER, pad BLOB)")
        self.run("CREATE TABLE bulk(id INTEGER PRIMARY KEY, body BLOB)")
        for table in ("one", "two", "three"):
            self.run(f"CREATE TABLE {table}(seq INTEGER)")
            self.run(f"INSERT INTO {table} VALUES(1)")
            self.run("WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < ?) "
                     "INSERT INTO bulk(body) SELECT randomblob(900) FROM k", self.options.rows // 3)
        for i in range(ACCOUNTS):
            self.run("INSERT INTO accounts VALUES(?, ?, randomblob(700))", i, BALANCE)
        self.run("COMMIT")
        self.connection.close()
        self.record[0] = self.record[1] = 1

    def transact(self):
        self.run("BEGIN IMMEDIATE")
        n = self.run("SELECT seq + 1 FROM one")[0][0]
        self.run("UPDATE one SET seq = ?", n)
        self.run("UPDATE two SET seq = ?", n)
        for _ in range(self.random.choice((1, 1, 1, 40))):
            amount = self.random.randrange(50)
            a, b = self.random.randrange(ACCOUNTS), self.random.randrange(ACCOUNTS)
            self.run("UPDATE accounts SET balance = balance - ?, pad = randomblob(700) WHERE id = ?", amount, a)
            self.run("UPDATE accounts SET balance = balance + ? WHERE id = ?", amount, b)
            if "ponder" in self.options.do and self.random.random() < 0.02:
                self.ponder()
        row = self.random.randrange(1, self.options.rows + 2)
        self.run("INSERT OR REPLACE INTO bulk VALUES(?, randomblob(?))", row, self.random.randrange(1800))
        self.run("UPDATE three SET seq = ?", n)
        self.record[0] = max(self.record[0], n)
        self.run("COMMIT")
        self.record[1] = max(self.record[1], n)
        self.done += 1

    # ---- what applications do in between --------------------------------------------------------------------------

    def checkpoint(self):
        self.run(f"PRAGMA wal_checkpoint({self.random.choice(('PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'))})")

    def vacuum(self):
        self.run("VACUUM")

    def schema(self):
        name = f"extra{self.random.randrange(4)}"
        for statement in self.random.choice((
                [f"CREATE TABLE IF NOT EXISTS {name}(a, b)", f"INSERT INTO {name}(a, b) SELECT id, body FROM bulk LIMIT 20"],
                [f"DROP TABLE IF EXISTS {name}"],
                [f"CREATE TABLE IF NOT EXISTS {name}(a, b)", f"CREATE INDEX IF NOT EXISTS {name}_i ON {name}(b)"],
                [f"CREATE TABLE IF NOT EXISTS {name}(a, b)",
                 f"ALTER TABLE {name} ADD COLUMN c{self.random.randrange(10 ** 9)} DEFAULT 'x'"])):
            self.run(statement)

    def shrink(self):
        self.run("DELETE FROM bulk WHERE id > ?", self.random.randrange(self.options.rows))
        self.run("PRAGMA incremental_vacuum")
        for _ in range(3):
            self.run("INSERT INTO bulk(body) SELECT randomblob(900) FROM accounts LIMIT 60")

    def switch(self):
        try:
            now = self.run("PRAGMA journal_mode")[0][0]
            self.run(f"PRAGMA journal_mode={'delete' if now == 'wal' else 'wal'}")
        except sqlite3.OperationalError as error:
            # Beside any reader: SQLite does not wait here.
            if "locked" not in str(error):
                raise
            self.refused += 1

    def reopen(self):
        self.connection.close()
        self.connect()

    def pause(self):
        # As a user who looks at what he did: not a condition anybody waits for.
        time.sleep(self.random.random() * self.options.pause)

    def ponder(self):
        # In the middle of a transaction.
        time.sleep(self.options.ponder)

    def loop(self):
        self.connect()
        chores = [getattr(self, what) for what in self.options.do if what not in ("crash", "ponder")]
        while not self.stop and not self.done >= self.options.transactions > 0:
            try:
                self.transact()
                if chores and self.random.random() < self.options.often:
                    self.random.choice(chores)()
            except sqlite3.Error as error:
                self.errors += 1
                print(f"state-writer: {getattr(error, 'sqlite_errorname', '')}: {error}", flush=True)
                if self.errors > 20:
                    break
                if self.connection.in_transaction:
                    self.run("ROLLBACK")
            if self.done == 1 and not os.path.exists(self.options.ready):
                open(self.options.ready, "w").close()
        self.connection.close()
        print(f"state-writer: {self.done} commits, {self.errors} errors, {self.refused} switches refused", flush=True)
        return 1 if self.errors else 0


def spawn(options):
    pid = os.fork()
    if pid:
        return pid
    writer = Writer(options)
    signal.signal(signal.SIGTERM, lambda *_: setattr(writer, "stop", True))
    status = 1
    try:
        status = writer.loop()
    finally:
        os._exit(status)


def crash_again_and_again(options):
    """The parent of applications that are killed."""
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    chance = random.Random(options.seed)
    crashes = 0
    while not stop:
        pid = spawn(options)
        time.sleep(0.02 + chance.random() * 0.2)
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            print(f"state-writer: an application ended with status {status}")
            return 1
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        crashes += 1
    print(f"state-writer: {crashes} crashes")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", default="wal")
    parser.add_argument("--locking")
    parser.add_argument("--vfs")
    parser.add_argument("--do", type=lambda text: text.split(",") if text else [], default=[])
    parser.add_argument("--often", type=float, default=0.1)
    parser.add_argument("--page-size", type=int, default=4096)
    parser.add_argument("--auto-vacuum", type=int, default=0)
    parser.add_argument("--pause", type=float, default=0.03, help="seconds, at most")
    parser.add_argument("--ponder", type=float, default=0.06, help="seconds")
    parser.add_argument("--transactions", type=int, default=0)
    parser.add_argument("--cache", type=int, default=20)
    parser.add_argument("--synchronous", default="OFF")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="go on with a database that is there")
    parser.add_argument("database")
    parser.add_argument("record")
    parser.add_argument("ready")
    options = parser.parse_args()
    if not options.keep:
        with open(options.record, "wb") as file:
            file.truncate(4096)
        Writer(options).create()
    if "crash" in options.do:
        return crash_again_and_again(options)
    writer = Writer(options)
    signal.signal(signal.SIGTERM, lambda *_: setattr(writer, "stop", True))
    return writer.loop()


sys.exit(main())
