#!/usr/bin/env bash
# A database is one under any name; a file with a database's name that is none is an ordinary file. What shows is what was
# committed, which is in the WAL alone.
. "$(dirname "$0")/../lib.sh"

names=('plain' 'photo.jpg' 'x.db-wal' 'y-journal' '.hidden' "with 'quotes'")
"$PYTHON" - "$SRC" "${names[@]}" <<'P' &
import os, signal, sqlite3, sys
connections = []
for name in sys.argv[2:]:
    connection = sqlite3.connect(os.path.join(sys.argv[1], name), isolation_level=None)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("CREATE TABLE t(x)")
    connection.execute("INSERT INTO t VALUES(?)", (name,))
    connections.append(connection)
open(os.path.join(sys.argv[1], "ready"), "w").close()
signal.pause()
P
OTHERS+=($!)
wait_for 60 test -e "$SRC/ready"
printf 'no database\n' >"$SRC/text.db"
: >"$SRC/empty.sqlite"
head -c 40000 /dev/urandom >"$SRC/encrypted.db"
mount_fs
for name in "${names[@]}"; do
        cp "$MNT/$name" "$T/copy.db"
        equal "$(sql "$T/copy.db" 'PRAGMA integrity_check; SELECT x FROM t')" "$(printf 'ok\n%s' "$name")" "$name"
        rm -f "$T"/copy.db*
done
for name in text.db empty.sqlite encrypted.db; do cmp "$SRC/$name" "$MNT/$name"; done
equal "$(find "$MNT" -type f -printf '%P\n' | sort)" \
        "$(printf '%s\n' "${names[@]}" ready text.db empty.sqlite encrypted.db | sort)" "the listing"
unmount_fs
