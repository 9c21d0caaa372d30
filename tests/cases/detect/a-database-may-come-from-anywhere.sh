#!/usr/bin/env bash
# What the kernel and we remember of a name never lets a raw byte of a database through. A database is created under a name that was
# asked for in vain, renamed over a file that was read, written into one, reached by a new name of one, moved in with its directory:
# the next open has the commit that is only in the WAL. Inode numbers are the same after a remount, and after kill -9 nothing is served.
. "$(dirname "$0")/../lib.sh"

# A database whose main file alone knows of no commit, as an application that crashed leaves it.
mkdir "$T/left"
"$PYTHON" - "$T/app.db" "$T/left" <<'P'
import shutil
import sqlite3
import sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ("PRAGMA journal_mode=WAL", "PRAGMA wal_autocheckpoint=0", "CREATE TABLE t(x)", "INSERT INTO t VALUES('committed')"):
    db.execute(statement)
for suffix in ("", "-wal"):
    shutil.copy(sys.argv[1] + suffix, sys.argv[2] + "/app.db" + suffix)
P
refused 'no such table' sql "file:$T/left/app.db?immutable=1" 'SELECT x FROM t'

mkdir "$SRC/empty" "$SRC/files"
for name in over into old/place beside; do
        mkdir -p "$(dirname "$SRC/files/$name")"
        head -c 8192 /dev/urandom >"$SRC/files/$name"
done
mount_fs
# All is looked at and read, so that it is remembered.
remember() {
        find "$MNT" -type f -exec cat {} + | sha256sum >"$T/null"
        ls -lR "$MNT" >"$T/null"
}
remember
refused 'No such file' stat "$MNT/empty/born.db"
refused 'No such file' stat "$MNT/files/moved/app.db"
is_whole() {
        cat "$MNT/$1" >"$T/copy.db"
        equal "$(sql "$T/copy.db" 'PRAGMA integrity_check; SELECT x FROM t')" "$(printf 'ok\ncommitted')" "$1"
        rm -f "$T"/copy.db*
}
# As an application that restores it: the WAL is there first.
cp "$T/left/app.db-wal" "$SRC/empty/born.db-wal"
cp "$T/left/app.db" "$SRC/empty/born.db"
is_whole empty/born.db

cp "$T/left/app.db-wal" "$SRC/files/over-wal"
cp "$T/left/app.db" "$SRC/files/.new"
mv "$SRC/files/.new" "$SRC/files/over"
is_whole files/over

cp "$T/left/app.db-wal" "$SRC/files/into-wal"
cat "$T/left/app.db" >"$SRC/files/into"
is_whole files/into

mv "$SRC/files/old/place" "$SRC/files/new"
cp "$T/left/app.db-wal" "$SRC/files/new-wal"
cat "$T/left/app.db" >"$SRC/files/new"
refused 'No such file' cat "$MNT/files/old/place"
is_whole files/new

cp -r "$T/left" "$SRC/.moved"
mv "$SRC/.moved" "$SRC/files/moved"
is_whole files/moved/app.db
equal "$(find "$MNT" -name '*-wal')" '' "side files that are listed"

remember
find "$MNT" -printf '%P %i\n' | sort >"$T/before"
unmount_fs
mount_fs
find "$MNT" -printf '%P %i\n' | sort >"$T/after"
diff "$T/before" "$T/after" || fail "inode numbers are others after a remount"

remember
kill -KILL "$DAEMON"
wait_for 30 is_gone "$DAEMON"
wait "$DAEMON" || true
DAEMON=
for name in files/beside files/over files/into empty/born.db; do
        refused 'not connected' cat "$MNT/$name"
done
if is_root; then umount "$MNT"; else fusermount3 -u "$MNT"; fi
is_not_mounted "$MNT" || fail "still mounted"
