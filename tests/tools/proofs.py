"""For programs that a case feeds to Python (see proof/lib.sh): applications in processes of their own, copies, and their judge.

Every database has a table t(id, n, body); a transaction sets n of its first and its last row, which lie far apart, to one number.
"""
import errno
import json
import mmap
import os
import signal
import sqlite3
import threading
import time

T, SRC, MNT, LOG = (os.environ[name] for name in ("T", "SRC", "MNT", "LOG"))
PAGE = 4096


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def rows(number, size=1000):
    """Statements that make the table, with so many rows."""
    return ["CREATE TABLE t(id INTEGER PRIMARY KEY, n, body)",
            f"WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < {number}) "
            f"INSERT INTO t SELECT i, 0, randomblob({size}) FROM k"]


def commit(n):
    return f"UPDATE t SET n = {n} WHERE id IN (1, (SELECT max(id) FROM t))"


# Much of it is in the main file, or in the WAL, before anybody commits it.
SPILL = ["PRAGMA cache_size=5", "BEGIN IMMEDIATE", "UPDATE t SET n = -1, body = randomblob(length(body))"]


def connect(path, vfs=None):
    return sqlite3.connect(f"file:{path}?vfs={vfs}" if vfs else path, timeout=60, isolation_level=None, uri=bool(vfs))


class Application:
    """A connection in a process of its own, so that its locks are those of another, and it can be stopped and killed."""

    def __init__(self, path, *statements, vfs=None):
        ask, self.asks = os.pipe()
        self.answers, answer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.asks)
            os.close(self.answers)
            try:
                self.serve(connect(path, vfs), os.fdopen(ask), os.fdopen(answer, "w"))
            finally:
                os._exit(0)
        os.close(ask)
        os.close(answer)
        self.answers = os.fdopen(self.answers)
        self(*statements)

    @staticmethod
    def serve(connection, asks, answers):
        while statements := json.loads(next(asks)):
            try:
                answer = [connection.execute(statement).fetchall() for statement in statements]
            except sqlite3.Error as error:
                answer = str(error)
            print(json.dumps(answer), file=answers, flush=True)
        connection.close()

    def __call__(self, *statements):
        """The rows of the last one."""
        if not statements:
            return []
        os.write(self.asks, json.dumps(statements).encode() + b"\n")
        answer = json.loads(self.answers.readline())
        assert not isinstance(answer, str), answer
        return answer[-1]

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def end(self):
        os.waitpid(self.pid, 0)
        os.close(self.asks)
        self.answers.close()

    def crash(self):
        os.kill(self.pid, signal.SIGKILL)
        self.end()

    def close(self):
        os.write(self.asks, b"[]\n")
        self.end()


class Writer:
    """Commits without end, resting so many milliseconds after each; "done" is the number of the last commit that has returned."""
    BEGUN, DONE, REST, END = range(4)

    def __init__(self, path, *statements, vfs=None, rest=0):
        self.numbers = memoryview(mmap.mmap(-1, PAGE)).cast("q")
        self.numbers[self.REST] = rest
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.write(connect(path, vfs), statements)
                os._exit(0)
            finally:
                os._exit(1)

    def write(self, connection, statements):
        for statement in statements:
            connection.execute(statement).fetchall()
        while not self.numbers[self.END]:
            self.numbers[self.BEGUN] += 1
            connection.execute(commit(self.numbers[self.BEGUN]))
            self.numbers[self.DONE] = self.numbers[self.BEGUN]
            time.sleep(self.numbers[self.REST] / 1000)
        connection.close()

    def begun(self):
        return self.numbers[self.BEGUN]

    def done(self):
        return self.numbers[self.DONE]

    def rest(self, ms):
        self.numbers[self.REST] = ms

    def await_commits(self, number):
        """So many whole ones, from now on."""
        end = self.begun() + number
        wait_for(lambda: self.done() >= end)

    def end(self):
        self.numbers[self.END] = 1
        _, status = os.waitpid(self.pid, 0)
        assert status == 0, "a writer met an error"


# ---- looking -------------------------------------------------------------------------------------------------

def refused(path, *errors):
    """Opens it: None if that is refused with one of the errors, else the descriptor."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        assert error.errno in errors, f"{path}: {error}"
        return None


def is_refused(path, *errors):
    fd = refused(path, *errors)
    assert fd is None, f"{path} was opened: " + fact(fd, "engine") + ", " + fact(fd, "proof")


def fact(fd, name):
    return os.getxattr(fd, "user.litesnapfs." + name).decode()


def read(fd, offset=0):
    """The rest of the file."""
    parts = []
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def judge(data, query="SELECT DISTINCT n FROM t WHERE id IN (1, (SELECT max(id) FROM t))"):
    """The bytes as a database of their own: what the query says of it, one value, if SQLite finds nothing wrong."""
    path = f"{T}/judged-{threading.get_native_id()}.db"
    with open(path, "wb") as file:
        file.write(data)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA writable_schema=ON")
        found = connection.execute("PRAGMA integrity_check(1)").fetchall()
        assert found == [("ok",)], f"torn: {found}"
        found = connection.execute(query).fetchall()
        assert len(found) == 1, f"torn: two rows of one transaction say {found}"
        return found[0][0]
    finally:
        connection.close()
        for side in ("", "-wal", "-shm", "-journal"):
            if os.path.exists(path + side):
                os.unlink(path + side)


def copy(path):
    """What a reader gets, judged."""
    return judge(contents(path))


def log(*words):
    """The lines of the log that have all the words."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        return [line for line in file if all(word in line for word in words)]


def written():
    """What the daemon has written to files so far, in bytes. (On a disk; tmpfs is not counted.)"""
    with open(f"/proc/{os.environ['DAEMON']}/io", encoding="ascii") as io:
        return next(int(line.split()[1]) for line in io if line.startswith("write_bytes"))
