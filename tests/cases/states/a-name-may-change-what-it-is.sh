#!/usr/bin/env bash
# P5: names that become and stop being databases, and become symlinks and directories and come back, while they are looked up, opened
# and read: what is read is one of the things that were there, never a mixture; errors are those that the source itself gives.
# A database that is unlinked or replaced while it is open stays as it was to its end.
. "$(dirname "$0")/../lib.sh"

sql "$T/db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(300000))'
sql "$T/other" 'PRAGMA page_size=512; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(200000))'
head -c 250000 /dev/urandom >"$T/file"
mkdir "$T/directory"
cp "$T/db" "$SRC/app.db"
mount_fs -o linger=0
"$PYTHON" "$TOOLS/state-shift.py" "$SRC/app.db" "$T/stop" "$T/db" "$T/other" "$T/file" &
shifter=$!
OTHERS+=("$shifter")
"$PYTHON" "$TOOLS/state-shift.py" --read "$MNT/app.db" "$(scaled 1500)" "$T/db" "$T/other" "$T/file"
: >"$T/stop"
wait "$shifter"
still_serves

# Open, then gone, then another thing.
rm -rf "$SRC/app.db"
cp "$T/db" "$SRC/app.db"
shows() {
        cmp -s "$MNT/app.db" "$T/db"
}
wait_for 60 shows
exec 5<"$MNT/app.db"
for step in unlinked replaced directory; do
        case $step in
        unlinked) rm "$SRC/app.db" ;;
        replaced) cp "$T/other" "$SRC/app.db" ;;
        directory)
                rm "$SRC/app.db"
                mkdir "$SRC/app.db"
                ;;
        esac
        equal "$(sha "/proc/self/fd/5")" "$(sha "$T/db")" "the open one after it was $step"
done
exec 5<&-
wait_for 60 test -d "$MNT/app.db"
rmdir "$SRC/app.db"
is_gone_there() {
        ! cat "$MNT/app.db" >"$T/null"
}
wait_for 60 is_gone_there
refused 'No such file' cat "$MNT/app.db"
unmount_fs
