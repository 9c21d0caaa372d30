#!/usr/bin/env bash
# P8: of copies of real trees rsync with every check it knows finds nothing different but the databases with a WAL, whose mirror
# holds what the WAL holds, in both directions; numbers of inodes, links, blocks and sizes of all the rest are the source's.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/share"
cp -a /etc "$SRC/etc" 2>/dev/null || say "not all of /etc can be read"
for part in zoneinfo perl perl5 python3 bash-completion; do
        cp -a "/usr/share/$part" "$SRC/share/" 2>/dev/null || true
done
sql "$SRC/share/rest.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
"$TORTURE_WRITER" --db "$SRC/share/live.db" --record "$T/record" --transactions 20 --keep-wal --checkpoint 0 --journal wal >"$T/null"
touch "$T/now"
over() {
        [ "$(date +%s)" -gt $(($(stat -c %Y "$T/now") + 1)) ]
}
wait_for 60 over
mount_fs
rsync -aHAXn --delete --checksum --itemize-changes "$SRC/" "$MNT/" >"$T/there"
rsync -aHAXn --delete --checksum --itemize-changes "$MNT/" "$SRC/" >"$T/back"
# The side files are hidden: where rsync looks for the names it finds them empty.
equal "$(sed 's/^[^ ]* *//' "$T/there" | sort | tr '\n' ' ')" \
        "share/live.db share/live.db-shm share/live.db-wal " "differences"
equal "$(sed 's/^[^ ]* *//' "$T/back" | sort | tr '\n' ' ')" \
        "share/live.db share/live.db-shm share/live.db-wal " "differences on the way back"
grep -q '^>f.* share/live.db$' "$T/back" || fail "the live database: $(cat "$T/back")"
list() {
        (cd "$1" && find . ! -name 'live.db*' -printf '%P %y %i %n %s %b %m %U:%G %T@ %C@ %l\n' | sort)
}
# Directories of the copy hold hidden names, so only their size may differ where a database lies.
diff <(list "$SRC" | grep -v '^share d') <(list "$MNT" | grep -v '^share d') >"$T/differ" || fail "$(head "$T/differ")"
say "$(list "$SRC" | grep -c .) names"
[ "$(list "$SRC" | grep -c .)" -gt 300 ] || fail "no real tree"
unmount_fs
