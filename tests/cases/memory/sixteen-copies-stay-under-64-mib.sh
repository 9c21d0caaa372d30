#!/usr/bin/env bash
# P9: memory does not grow with the size or number of the databases that are copied at one time.
. "$(dirname "$0")/../lib.sh"

size=$(scaled 100)
sql "$SRC/0.db" "PRAGMA journal_mode=wal; CREATE TABLE t(x); WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL
        SELECT i + 1 FROM k WHERE i < $size) INSERT INTO t SELECT randomblob(1000000) FROM k" >"$T/null"
for i in $(seq 15); do cp "$SRC/0.db" "$SRC/$i.db"; done
expected=$(sha "$SRC/0.db")
# Every application is there, so that both ways of copying, beside a live WAL and of an idle file, are taken.
"$PYTHON" "$TOOLS/hold-open.py" wal "$T/held" "$SRC"/[0-7].db &
OTHERS+=($!)
wait_for 60 test -e "$T/held"
mount_fs
for i in $(seq 0 15); do start_job "copy$i" sha256sum "$MNT/$i.db"; done
for i in $(seq 0 15); do
        finish_job "copy$i" 300
        equal "$(cut -d' ' -f1 "$T/copy$i.out")" "$expected" "copy $i"
done
say "peak RSS $(peak_rss) KiB, descriptors $(descriptors)"
if is_plain; then
        [ "$(peak_rss)" -lt 65536 ] || fail "peak RSS is $(peak_rss) KiB"
fi
unmount_fs
