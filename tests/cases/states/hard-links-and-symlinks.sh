#!/usr/bin/env bash
# P5: a database with a hard link in another directory, whose WAL lies beside the other name: by this name it is EBUSY with a log
# line as long as it is open, never a stale state; by the other it is right. Names that are symlinks lead where they lead.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/one" "$SRC/two"
"$PYTHON" "$TOOLS/state-make.py" live-wal "$SRC/one/app.db" "$T/ready" &
OTHERS+=($!)
wait_for 60 test -e "$T/ready"
[ -s "$SRC/one/app.db-wal" ] || fail "nothing in the WAL"
ln "$SRC/one/app.db" "$SRC/two/alias.db"
ln "$SRC/one/app.db" "$SRC/one/alias.db"
ln -s one/app.db "$SRC/link.db"
ln -s ../one/app.db-wal "$SRC/two/wal-link"
# Each has its own node, and the same inode number: nothing of the one may answer for the other.
mount_fs -o busy_timeout=300
stamp() {
        cp "$1" "$T/copy.db" && sql "$T/copy.db" 'SELECT n FROM stamp'
}
for round in 1 2 3; do
        equal "$(stamp "$MNT/one/app.db")" 7 "by the name that has the WAL, round $round"
        for alias in two/alias.db one/alias.db; do
                refused 'Device or resource busy' cat "$MNT/$alias"
                logged "$round" "source/$alias" 'hard link'
        done
        equal "$(readlink "$MNT/link.db")" one/app.db "the symlink"
        equal "$(stamp "$MNT/link.db")" 7 "by the symlink"
done
kill "${OTHERS[0]}"
wait "${OTHERS[0]}" || true
# Closed and checkpointed: one file with three names.
for name in one/app.db two/alias.db one/alias.db; do
        equal "$(stamp "$MNT/$name")" 7 "$name of the closed database"
done
unmount_fs
