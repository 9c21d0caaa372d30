#!/usr/bin/env bash
# Whether a -wal belongs to a database is for SQLite to say. Beside a rollback header an empty one is nothing. One that is left where
# VACUUM INTO has restored the database is taken up by the next application, which goes on in WAL mode below that header: lstat
# shows its commits, rsync misses none.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

paced
mount_fs -o linger=0
prove <<'P'
from proofs import *
from pace import Pace
import shutil, subprocess
pace = Pace()
restored = connect(T + "/restored.db")
for statement in rows(50) + [commit(7)]:
    restored.execute(statement)
restored.close()
shutil.copyfile(T + "/restored.db", SRC + "/empty.db")
open(SRC + "/empty.db-wal", "w").close()
assert contents(MNT + "/empty.db") == contents(SRC + "/empty.db")
assert os.lstat(MNT + "/empty.db").st_size == os.lstat(SRC + "/empty.db").st_size

# A WAL with a frame of a table's page, of the database as it was before.
old = Application(T + "/old.db", *rows(50), "PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0")
old(f"VACUUM INTO '{SRC}/app.db'")
old(commit(7))
shutil.copyfile(T + "/old.db-wal", SRC + "/app.db-wal")
old.crash()
assert contents(SRC + "/app.db")[18:20] == b"\1\1", "not a rollback header"
path, backup = MNT + "/app.db", T + "/backup"
assert copy(path) == 7, "nobody has it open"

application = Application(SRC + "/app.db", "PRAGMA wal_autocheckpoint=0")
assert application("PRAGMA journal_mode=WAL") == [["wal"]]
application("PRAGMA user_version")
assert contents(SRC + "/app.db")[18:20] == b"\1\1", "not below a rollback header"
def show(n, ns):
    """Looks at the last commit as if it were so much later."""
    application(commit(n))
    mtime = os.lstat(SRC + "/app.db-wal").st_mtime_ns
    pace.set_time_of_day(mtime + ns)
    st = os.lstat(path)
    assert copy(path) == n, f"commit {n} is missing"
    subprocess.run(["rsync", "-a", MNT + "/", backup], check=True)
    assert copy(backup + "/app.db") == n, f"rsync missed commit {n}"
    return mtime // 10 ** 9, (st.st_mtime_ns, st.st_ctime_ns, st.st_size)

shown = []
for n in (8, 10):
    # Two commits, in one second most often, and rsync after each. The next pair is two seconds later: what is shown of it in its own
    # second is the end of the second before, which must not be the one that rsync has seen; a file system's clock may lag by a tick.
    second = [show(n, 1000), show(n + 1, 2 * 10 ** 9)]
    shown += [what for _, what in second]
    wait_for(lambda: time.time() > second[1][0] + 2.1)
assert len(set(shown)) == 4, f"lstat does not show each commit: {shown}"
assert sorted(os.listdir(MNT)) == ["app.db", "empty.db"]
application.crash()
assert copy(path) == 11
P
unmount_fs
