#!/usr/bin/env bash
# P5: a database that the daemon may not read is EACCES for those whom the kernel would let in, with one log line; its name
# and attributes stay. So is one whose WAL the daemon may not read: without it the copy would be an old state.
. "$(dirname "$0")/../lib.sh"

need_root 'makes files that an ordinary user may not read'
mount_as_user
sql "$SRC/good.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
cp "$SRC/good.db" "$SRC/secret.db"
chmod 600 "$SRC/secret.db"
"$TORTURE_WRITER" --db "$SRC/wal.db" --record "$T/record" --transactions 20 --keep-wal --checkpoint 0 >"$T/null"
[ -s "$SRC/wal.db-wal" ] || fail "no WAL: nothing to prove"
chmod 600 "$SRC/wal.db-wal" "$SRC/wal.db-shm"
mount_fs
refused 'Permission denied' as_user cat "$MNT/secret.db"
refused 'Permission denied' as_user cat "$MNT/wal.db"
logged 1 wal.db '[Pp]ermission|permitted|denied'
equal "$(as_user bash -c "cd '$MNT' && ls -m")" 'good.db, secret.db, wal.db' "the listing"
equal "$(as_user stat -c '%a %u' "$MNT/secret.db")" '600 0' "mode and owner"
equal "$(as_user sha256sum "$MNT/good.db" | cut -d' ' -f1)" "$(sha "$SRC/good.db")" "the other database"
unmount_as_user
