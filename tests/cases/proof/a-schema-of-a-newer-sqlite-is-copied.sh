#!/usr/bin/env bash
# The schema is the application's. A view in words that only a later SQLite understands is no obstacle, be the database live, closed or
# left by a crash, in WAL or rollback mode; nor are pages that only the application can decrypt, behind a header in plain text,
# which come out bit for bit. Nobody parses the schema, so thousands of tables cost an open nothing.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

mount_fs -o linger=0,busy_timeout=2000
prove "$(scaled 3000)" <<'P'
from proofs import *
import sys
NEWER = ["CREATE VIEW v AS SELECT 1 AS a", "PRAGMA writable_schema=ON",
         "UPDATE sqlite_schema SET sql = 'CREATE VIEW v AS SELECT n, group_concat(id ORDER BY id) FROM t WHERE id < 1_000 GROUP BY n' "
         "WHERE name = 'v'"]

def make(name, journal):
    return Application(f"{SRC}/{name}.db", f"PRAGMA journal_mode={journal}", "PRAGMA synchronous=OFF", *rows(300),
                       commit(6), *NEWER, commit(7))

for journal in ("wal", "delete"):
    live, closed, crashed = (make(f"{how}-{journal}", journal) for how in ("live", "closed", "crashed"))
    closed.close()
    crashed(*SPILL)
    crashed.crash()
    for how in ("live", "closed", "crashed"):
        path = f"{MNT}/{how}-{journal}.db"
        assert copy(path) == 7, path
        try:
            connect(f"{SRC}/{how}-{journal}.db").execute("SELECT * FROM t LIMIT 1")
            raise AssertionError("this SQLite understands the view: nothing was proved")
        except sqlite3.DatabaseError as error:
            assert "malformed" in str(error), error

def encrypted(version):
    pages = 12
    head = b"SQLite format 3\0" + bytes([0x10, 0, version, version, 80, 64, 32, 32]) + b"\0\0\0\7" + pages.to_bytes(4, "big")
    return head + os.urandom(pages * PAGE - len(head))

for name, version in (("plain-head.db", 1), ("plain-head-wal.db", 2)):
    with open(f"{SRC}/{name}", "wb") as file:
        file.write(encrypted(version))
    assert contents(f"{MNT}/{name}") == contents(f"{SRC}/{name}"), name

def peak():
    with open(f"/proc/{os.environ['DAEMON']}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

def work():
    """What the daemon has used of the processors, in ticks."""
    with open(f"/proc/{os.environ['DAEMON']}/stat", encoding="ascii") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))

number, opens = int(sys.argv[1]), 200
many = Application(SRC + "/many.db", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", "BEGIN", *rows(3),
                   *(f"CREATE TABLE t{i}(a, b)" for i in range(number)), "COMMIT", "PRAGMA wal_checkpoint", commit(7))
few = Application(SRC + "/few.db", "PRAGMA journal_mode=WAL", *rows(3), commit(6), "PRAGMA wal_checkpoint", commit(7))
costs = {}
for name in ("few", "many"):
    before = work(), peak()
    for _ in range(opens):
        os.close(os.open(f"{MNT}/{name}.db", os.O_RDONLY))
    costs[name] = work() - before[0], peak() - before[1]
print(f"# {opens} opens of a database of one table and of {number}: ticks and KiB {costs}")
assert costs["many"][0] <= costs["few"][0] * 5 + 20, costs
assert os.environ["SANITIZER"] != "none" or costs["many"][1] < 8192, costs
assert copy(MNT + "/many.db") == 7
P
unmount_fs
