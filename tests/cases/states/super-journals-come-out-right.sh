#!/usr/bin/env bash
# P1, P5: a transaction over two databases in two directories, and a crash before or between the deletions of its
# super-journal and the journals that name it: both databases show it, or neither does; also in a copy of the tree, of which the
# original has moved on since. What cannot be told is EBUSY with a log line, never the uncommitted half.
. "$(dirname "$0")/../lib.sh"

# stamps PATH: what a copy of it through the mount has committed.
stamps() {
        cp "$1" "$T/copy.db"
        sql "$T/copy.db" 'PRAGMA integrity_check; SELECT n FROM stamp' | tr '\n' ' '
        rm -f "$T"/copy.db*
}

for crash in before between last; do
        mkdir -p "$SRC/$crash/a" "$SRC/$crash/b"
        "$PYTHON" "$TOOLS/state-make.py" "super-$crash" "$SRC/$crash/a/app.db" "$SRC/$crash/b/other.db"
done
# The tree is copied as it is, and then the application starts again in the original.
cp -a "$SRC" "$T/copy"
mount_fs -o busy_timeout=500
for crash in before between last; do
        for db in a/app.db b/other.db; do
                equal "$(stamps "$MNT/$crash/$db")" 'ok 7 ' "$db after the crash $crash"
        done
done
unmount_fs

for crash in before between last; do
        sql "$SRC/$crash/a/app.db" "ATTACH '$SRC/$crash/b/other.db' AS other; SELECT n FROM main.stamp; SELECT n FROM other.stamp;" \
                'UPDATE main.stamp SET n = 9; UPDATE other.stamp SET n = 9' >"$T/null"
        equal "$(find "$SRC/$crash" -name '*-mj*')" '' "super-journals after the application's recovery"
done
SRC=$T/copy
mount_fs -o busy_timeout=500
for crash in before between last; do
        for db in a/app.db b/other.db; do
                if cp "$MNT/$crash/$db" "$T/probe" 2>"$T/said"; then
                        equal "$(stamps "$MNT/$crash/$db")" 'ok 7 ' "$db of the copy after the crash $crash"
                else
                        grep -q 'Device or resource busy' "$T/said" || fail "$db: $(cat "$T/said")"
                        say "the copy's $db after the crash $crash: EBUSY"
                        logged 1 "$crash/$db" super-journal
                fi
        done
done
unmount_fs
