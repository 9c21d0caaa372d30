#!/usr/bin/env bash
# P5: a truncated database is EIO with one log line that names it and says why; its name stays in the listing, and the
# mount goes on. Raw bytes are not served.
. "$(dirname "$0")/../lib.sh"

sql "$SRC/good.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(400000))'
cp "$SRC/good.db" "$SRC/cut.db"
truncate -s 200000 "$SRC/cut.db"
mount_fs
refused 'Input/output error' cat "$MNT/cut.db"
logged 1 cut.db 'corrupt|malformed|truncated|short'
equal "$(cd "$MNT" && echo *)" 'cut.db good.db' "the listing"
stat "$MNT/cut.db" >"$T/null"
refused 'Input/output error' cp "$MNT/cut.db" "$T/copy"
logged 2 cut.db
equal "$(sha "$MNT/good.db")" "$(sha "$SRC/good.db")" "the other database"
unmount_fs
