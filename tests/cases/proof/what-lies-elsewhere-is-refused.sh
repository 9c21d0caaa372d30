#!/usr/bin/env bash
# What SQLite would need to read the committed state lies beside another name, or nowhere: the main file alone is bind-mounted into
# the application's directory; a -wal was deleted under a live application; its database was renamed under it; in rollback mode the
# open transaction's journal lies beside another hard link. Each is EBUSY with a line that says why, and never old or uncommitted rows.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

need_root 'mounts a file'
mkdir -p "$T/box" "$SRC"/{bound,gone,renamed,linked,other}
touch "$T/box/app.db"
for name in bound gone renamed linked; do
        sql "$SRC/$name/app.db" 'PRAGMA user_version=1'
done
mount --bind "$SRC/bound/app.db" "$T/box/app.db" || skip 'no file can be bind-mounted here'
unmount_at_end "$T/box/app.db"
mount_fs -o linger=0,busy_timeout=1000
prove <<'P'
from proofs import *
WAL = ["PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0"]

def make(path, *before):
    return Application(path, *before, *rows(300), commit(1))

def elsewhere(name, why):
    is_refused(f"{MNT}/{name}", errno.EBUSY)
    wait_for(lambda: len(log(f"/{name}:", why)) == 1)
    os.lstat(f"{MNT}/{name}")
    assert os.path.basename(name) in os.listdir(os.path.dirname(f"{MNT}/{name}"))

HINT = "its WAL is not beside this name"
bound = make(T + "/box/app.db", *WAL)
assert os.path.getsize(T + "/box/app.db-wal") > 0 and not os.path.exists(SRC + "/bound/app.db-wal")
elsewhere("bound/app.db", HINT)

gone = make(SRC + "/gone/app.db", *WAL)
assert copy(MNT + "/gone/app.db") == 1
os.unlink(SRC + "/gone/app.db-wal")
elsewhere("gone/app.db", HINT)
os.unlink(SRC + "/gone/app.db-shm")
is_refused(MNT + "/gone/app.db", errno.EBUSY)
wait_for(lambda: len(log("/gone/app.db:", HINT)) == 2)

renamed = make(SRC + "/renamed/app.db", *WAL)
os.rename(SRC + "/renamed/app.db", SRC + "/renamed/new.db")
elsewhere("renamed/new.db", HINT)

# Once the application has closed it and nothing is anywhere else, it opens.
bound.close()
assert copy(MNT + "/bound/app.db") == 1

linked = make(SRC + "/linked/app.db", "PRAGMA journal_mode=DELETE")
os.link(SRC + "/linked/app.db", SRC + "/other/alias.db")
linked(*SPILL)
assert os.path.getsize(SRC + "/linked/app.db-journal") > 0
elsewhere("other/alias.db", "another name")
assert copy(MNT + "/linked/app.db") == 1, "by the name that has the journal"
linked("ROLLBACK")
assert copy(MNT + "/other/alias.db") == 1
P
unmount_fs
