#!/usr/bin/env bash
# A file that turns into a database, or stops being one, while mounted, by rename or in place, is taken for what it is at the
# next look.
. "$(dirname "$0")/../lib.sh"

echo text >"$SRC/a"
echo text >"$SRC/b"
sql "$SRC/c" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
mount_fs
equal "$(cat "$MNT/a" "$MNT/b")" "$(printf 'text\ntext')" "at first"
cmp "$MNT/c" "$SRC/c"
start_writer "$T/new.db" --journal delete --transactions 10
WRITER=
mv "$T/new.db" "$SRC/a"
: >"$SRC/b"
start_writer "$SRC/b" --journal wal --transactions 30 --linger --checkpoint 0
is_whole() {
        cp "$MNT/$1" "$T/copy.db" &&
                [ "$(sql "$T/copy.db" 'PRAGMA integrity_check; SELECT sum(balance) FROM accounts')" = "$(printf 'ok\n400000')" ]
}
wait_for 60 is_whole a
wait_for 60 is_whole b
equal "$(find "$MNT" -name '*-wal')" '' "the WAL of the new database"
stop_writer
echo 'text again' >"$T/text"
mv "$T/text" "$SRC/c"
seen() {
        [ "$(cat "$MNT/c")" = 'text again' ]
}
wait_for 60 seen
unmount_fs
