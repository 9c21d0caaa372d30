#!/usr/bin/env bash
# S6, P1: processes that query the mounted database see the state at their open, and go on seeing it while others commit and other
# processes open later; also with SQLite's own locks and with mmap.
# Usage: each-process-sees-the-state-of-its-open.sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

cat >"$T/reader.py" <<'P'
import sqlite3, sys
reader = sqlite3.connect(sys.argv[1])
if len(sys.argv) > 2:
    reader.execute("PRAGMA mmap_size=100000000")
for line in sys.stdin:
    n, total, sound = reader.execute("SELECT max(n), count(*) FROM t").fetchone() + reader.execute("PRAGMA integrity_check").fetchone()
    print(n, total, sound, flush=True)
P
mount_fs
"$PYTHON" - "$SRC/app.db" "$MNT/app.db" "$1" "$T/reader.py" "$(scaled 10)" <<'P'
import sqlite3, subprocess, sys
source, mount, journal, program, rounds = sys.argv[1:]
writer = sqlite3.connect(source, isolation_level=None, timeout=60)
writer.execute(f"PRAGMA journal_mode={journal}")
writer.execute("CREATE TABLE t(n, x)")
state = 0
def commit():
    global state
    state += 1
    writer.execute("BEGIN")
    writer.execute("INSERT INTO t SELECT ?, randomblob(3000) FROM (VALUES(1),(2),(3),(4),(5))", (state,))
    writer.execute("UPDATE t SET x = randomblob(3000) WHERE n % 3 = ?", (state % 3,))
    writer.execute("COMMIT")
def ask(reader):
    reader.stdin.write("?\n")
    reader.stdin.flush()
    return reader.stdout.readline().strip()
readers = []
commit()
for i in range(int(rounds)):
    reader = subprocess.Popen([sys.executable, program, mount] + ["mmap"] * (i % 2), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    readers.append((reader, f"{state} {5 * state} ok"))
    for each, wanted in readers:
        said = ask(each)
        assert said == wanted, f"a reader that opened at '{wanted}' sees '{said}' when the state is {state}"
    commit()
    if i % 4 == 3:
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
for reader, _ in readers:
    reader.stdin.close()
    assert reader.wait() == 0
P
unmount_fs
