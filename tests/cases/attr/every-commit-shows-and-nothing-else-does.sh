#!/usr/bin/env bash
# P4: any commit changes what lstat says, even one that only reached the WAL and left the size alone; reading, through the
# mount or by the application, does not.
# Usage: every-commit-shows-and-nothing-else-does.sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

"$PYTHON" - "$SRC/app.db" "$MNT/app.db" "$1" "$(scaled 10)" "$T/go" <<'P' &
import os, sqlite3, sys, time
source, mount, journal, rounds, go = sys.argv[1:]
writer = sqlite3.connect(source, isolation_level=None, timeout=60)
writer.execute(f"PRAGMA journal_mode={journal}")
writer.execute("CREATE TABLE t(x)")
writer.execute("INSERT INTO t VALUES(0)")
open(go, "w").close()
while not os.path.exists(go + ".mounted"):
    time.sleep(0.02)
def look():
    st = os.lstat(mount)
    return st.st_size, st.st_mtime_ns, st.st_ctime_ns
def settled():
    """What lstat says once the second of the last change is over: until then it may be told coarsely (fact T1)."""
    while time.time() < max(os.lstat(source).st_mtime, os.lstat(wal).st_mtime if os.path.exists(wal) else 0) + 1.1:
        time.sleep(0.02)
    return look()
wal = source + "-wal"
for i in range(int(rounds)):
    before = settled()
    with open(mount, "rb") as file:
        file.read()
    reader = sqlite3.connect(source)
    reader.execute("SELECT * FROM t").fetchall()
    reader.close()
    writer.execute("SELECT * FROM t").fetchall()
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("ROLLBACK")
    assert look() == before, f"round {i}: {before} became {look()} without a commit"
    writer.execute("UPDATE t SET x = x + 1")
    after = settled()
    assert after != before, f"round {i}: a commit does not show: {after}"
P
job=$!
OTHERS+=("$job")
wait_for 60 test -e "$T/go"
mount_fs
touch "$T/go.mounted"
wait "$job" || fail "see above"
unmount_fs
