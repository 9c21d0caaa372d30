#!/usr/bin/python3
"""state-make.py STATE DATABASE [READY | OTHER]: makes DATABASE in one of the states that applications leave databases in, or keep them in.

What was committed last is the number 7 in the table "stamp" (where there is one); what never was is 8. States that begin with
"live-" are held by this process, idle, from when READY is made until SIGTERM. Crashes are real: a child is killed, in the
middle of a transaction or at the system call in question. Super-journals are of a
transaction over DATABASE and OTHER (DATABASE.other). state-make.py --list prints the states.
"""
import ctypes
import os
import signal
import sqlite3
import sys

KILL = 9


def connect(path, vfs=None):
    return sqlite3.connect(f"file:{path}?vfs={vfs}" if vfs else path, timeout=30, isolation_level=None, uri=bool(vfs))


def run(connection, *statements):
    rows = []
    for statement in statements:
        rows = connection.execute(statement).fetchall()
    return rows


ROWS = "WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < {}) "
CONTENT = ["CREATE TABLE stamp(n)", "CREATE TABLE bulk(id INTEGER PRIMARY KEY, body)", "INSERT INTO stamp VALUES(1)",
           ROWS.format(200) + "INSERT INTO bulk(body) SELECT hex(randomblob(400)) FROM k"]
LAST = ["BEGIN", "UPDATE stamp SET n = 7", "UPDATE bulk SET body = hex(randomblob(400)) WHERE id % 7 = 0", "COMMIT"]
# Outgrows the cache: much of it is in the file, or in the WAL, before anybody commits it.
UNDONE = ["PRAGMA cache_size=5", "BEGIN IMMEDIATE", "UPDATE stamp SET n = 8", "UPDATE bulk SET body = hex(randomblob(380))",
          ROWS.format(100) + "INSERT INTO bulk(body) SELECT hex(randomblob(400)) FROM k"]


def in_child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        try:
            function(*arguments)
        finally:
            os._exit(3)
    _, status = os.waitpid(pid, 0)
    if status != KILL:
        sys.exit(f"state-make: the child was to be killed, and ended with status {status}")


def create(path, journal="delete", pragmas=(), content=CONTENT + LAST):
    connection = connect(path)
    run(connection, *pragmas, f"PRAGMA journal_mode={journal}", *content)
    return connection


def die_after(path, journal, statements):
    connection = create(path, journal)
    run(connection, *statements)
    os.kill(os.getpid(), KILL)


def die_at_unlink(path, other, number, journal):
    """Killed when SQLite is about to delete a file for the number-th time in one transaction over two databases."""
    connection = connect(path)
    run(connection, f"ATTACH '{other}' AS other", f"PRAGMA main.journal_mode={journal}", f"PRAGMA other.journal_mode={journal}")
    library = ctypes.CDLL("libsqlite3.so.0")

    class Vfs(ctypes.Structure):
        _fields_ = [("version", ctypes.c_int), ("file_size", ctypes.c_int), ("path_size", ctypes.c_int), ("next", ctypes.c_void_p),
                    ("name", ctypes.c_char_p), ("data", ctypes.c_void_p), ("methods", ctypes.c_void_p * 13),
                    ("set_system_call", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p))]

    library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
    vfs = library.sqlite3_vfs_find(None)
    count = 0

    def unlink(name):
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), KILL)
        os.unlink(name)
        return 0

    override = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)(unlink)
    vfs.contents.set_system_call(ctypes.cast(vfs, ctypes.c_void_p), b"unlink", ctypes.cast(override, ctypes.c_void_p))
    n = 8 if number == 1 else 7
    run(connection, "BEGIN", f"UPDATE main.stamp SET n = {n}", f"UPDATE other.stamp SET n = {n}", "COMMIT")


def super_journal(number, journal):
    """What is committed is 7 in both, DATABASE and OTHER: before its super-journal is deleted the old, then the new."""
    def make(path, other=None):
        other = os.path.abspath(other) if other else path + ".other"
        for name in (path, other):
            before = 7 if number == 1 else 6
            create(name, journal, content=CONTENT + [f"UPDATE stamp SET n = {before}"]).close()
        in_child(die_at_unlink, path, other, number, journal)
    return make


def closed(journal="delete", pragmas=()):
    return lambda path: create(path, journal, pragmas).close()


def crashed(journal, statements=()):
    return lambda path: in_child(die_after, path, journal, statements)


def without_shm(path):
    crashed("wal")(path)
    os.unlink(path + "-shm")


def torn_wal(path):
    """A crash of the machine: the WAL ends in the middle of a frame that reached the disk, after a commit."""
    crashed("wal", UNDONE)(path)
    os.unlink(path + "-shm")
    os.truncate(path + "-wal", os.path.getsize(path + "-wal") - 1000)


def all_in_wal(path):
    crashed("wal")(path)
    if os.path.getsize(path) > 4096:
        sys.exit("state-make: more than a page is in the main file")


def reserved(path):
    """32 bytes at the end of each page that are not SQLite's, as an encrypting VFS has them."""
    connection = connect(path)
    amount = ctypes.c_int(32)
    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_file_control.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    # The connection behind Python's object: its first field after the object's head.
    handle = ctypes.c_void_p.from_address(id(connection) + 2 * ctypes.sizeof(ctypes.c_void_p))
    if library.sqlite3_file_control(handle, b"main", 38, ctypes.byref(amount)) != 0:
        sys.exit("state-make: no reserved bytes")
    run(connection, *CONTENT, *LAST)
    connection.close()
    with open(path, "rb") as file:
        if file.read(21)[20] != 32:
            sys.exit("state-make: no bytes are reserved")


def cut(length):
    def make(path):
        closed()(path)
        os.truncate(path, length)
    return make


def scribbled(offset, data):
    def make(path):
        closed()(path)
        with open(path, "r+b") as file:
            file.seek(offset)
            file.write(data)
    return make


def journal_left(path):
    closed("persist")(path)
    if os.path.getsize(path + "-journal") == 0:
        sys.exit("state-make: no journal")


def hot_for_nothing(path):
    """A journal whose header never reached the disk."""
    closed()(path)
    with open(path + "-journal", "wb") as file:
        file.write(b"\0" * 512)


def zero(path):
    open(path, "w").close()


def zero_with_wal(path):
    """SQLite takes such a WAL for a left-over, and deletes it."""
    without_shm(path)
    os.truncate(path, 0)


def live(journal, *pragmas, vfs=None, statements=()):
    def make(path):
        create(path, journal).close()
        connection = connect(path, vfs)
        run(connection, *pragmas)
        if journal != "wal":
            run(connection, f"PRAGMA journal_mode={journal}")
        run(connection, "UPDATE stamp SET n = 6", *LAST, *statements)
        return connection
    return make


EXCLUSIVE = "PRAGMA locking_mode=EXCLUSIVE"
STATES = {
    "closed-delete": closed(), "closed-truncate": closed("truncate"), "closed-persist": journal_left, "closed-wal": closed("wal"),
    "crash-wal": crashed("wal"), "crash-wal-undone": crashed("wal", UNDONE), "crash-wal-no-shm": without_shm,
    "crash-wal-torn": torn_wal, "crash-all-in-wal": all_in_wal,
    "crash-delete": crashed("delete", UNDONE), "crash-truncate": crashed("truncate", UNDONE), "crash-persist": crashed("persist", UNDONE),
    "crash-no-sync": crashed("delete", ["PRAGMA synchronous=OFF"] + UNDONE), "crash-empty-journal": hot_for_nothing,
    "super-before": super_journal(1, "delete"), "super-between": super_journal(2, "delete"), "super-last": super_journal(3, "delete"),
    "super-before-persist": super_journal(1, "persist"),
    "live-wal": live("wal"), "live-wal-undone": live("wal", statements=UNDONE), "live-delete": live("delete"),
    "live-reading": live("delete", statements=["BEGIN", "SELECT * FROM stamp"]),
    "live-reserved": live("delete", statements=["BEGIN IMMEDIATE"]),
    "live-exclusive-delete": live("delete", EXCLUSIVE), "live-exclusive-truncate": live("truncate", EXCLUSIVE),
    "live-exclusive-persist": live("persist", EXCLUSIVE), "live-exclusive-memory": live("memory", EXCLUSIVE),
    "live-exclusive-off": live("off", EXCLUSIVE), "live-exclusive-wal": live("wal", EXCLUSIVE),
    "live-unix-excl-delete": live("delete", vfs="unix-excl"), "live-unix-excl-wal": live("wal", vfs="unix-excl"),
    "pages-512": closed("delete", ["PRAGMA page_size=512"]), "pages-65536": closed("wal", ["PRAGMA page_size=65536"]),
    "reserved-bytes": reserved, "utf-16": closed("delete", ["PRAGMA encoding='UTF-16'"]),
    "auto-vacuum": closed("wal", ["PRAGMA auto_vacuum=1"]), "incremental": closed("delete", ["PRAGMA auto_vacuum=2"]),
    "geopackage": closed("wal", ["PRAGMA application_id=0x47504B47", "PRAGMA user_version=10300"]),
    "fossil": closed("delete", ["PRAGMA application_id=252006673"]),
    "zero-bytes": zero, "zero-with-wal": zero_with_wal, "header-only": cut(100), "truncated": cut(40960),
    "torn-header": cut(60), "torn-first-page": scribbled(16, b"\x12\x34"), "garbage-after-magic": scribbled(16, os.urandom(4000)),
    "no-magic": scribbled(0, os.urandom(16)),
}


def main():
    if sys.argv[1] == "--list":
        print("\n".join(STATES))
        return
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    if sys.argv[1].startswith("super-"):
        STATES[sys.argv[1]](os.path.abspath(sys.argv[2]), *sys.argv[3:])
        return
    held = STATES[sys.argv[1]](os.path.abspath(sys.argv[2]))
    if len(sys.argv) > 3:
        open(sys.argv[3], "w").close()
        while not stop:
            signal.pause()
    if held:
        held.close()


main()
