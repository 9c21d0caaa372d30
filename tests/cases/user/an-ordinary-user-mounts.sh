#!/usr/bin/env bash
# Everything works for an ordinary user too: he mounts, sees databases consistent under a writer, and unmounts.
# Usage: an-ordinary-user-mounts.sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

need_root 'becomes an ordinary user by itself'
mount_as_user
chown 65534:65534 "$SRC"
chmod 777 "$SRC"
rm -f "$T/ready"
chmod 777 "$T"
"${AS_USER[@]}" "$TORTURE_WRITER" --db "$SRC/app.db" --record "$T/record" --ready "$T/ready" --journal "$1" >"$T/writer.out" 2>&1 &
WRITER=$!
wait_for 60 test -e "$T/ready"
mount_fs -o busy_timeout=120000
as_user "$TORTURE_READER" --record "$T/record" --path "$MNT/app.db" --snapshots "$(scaled 60)"
equal "$(as_user find "$MNT" -type f -printf '%P %U\n')" 'app.db 65534' "the listing"
stop_writer
unmount_as_user
