#!/usr/bin/env bash
# -S SOURCE can be repeated, and each mirror is at its own place; with a second directory the mirror is there, and the source
# is what it was. A second directory that is not empty is refused: it is rather a second source, which would be left out.
# Usage: several-sources-and-a-mountpoint.sh root|user
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/cases/run/lib.sh
. "$(dirname "$0")/lib.sh"
as_whom "$1"

mkdir "$T/more" "$T/more/inner" "$T/third"
for place in "$SRC" "$T/more" "$T/more/inner" "$T/third"; do
        sql "$place/app.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)' >"$T/null"
        # What a mirror does not list.
        : >"$place/app.db-wal"
done
[ "$1" = root ] || chown -R 65534:65534 "$SRC" "$T/more" "$T/third"
listing() {
        printf '%s' "$*" | tr -s ' \n' ' '
}
side_files() {
        run "$@" -- find "$SRC" "$T/more" "$T/third" "$MNT" -name '*-wal' -printf '%P of %H\n' | sed "s|$T/||" | sort | tr '\n' ';'
}
equal "$(side_files "$SRC")" 'app.db-wal of more;app.db-wal of third;inner/app.db-wal of more;' 'one source'
equal "$(side_files -S "$SRC" -S "$T/third")" 'app.db-wal of more;inner/app.db-wal of more;' 'two sources'
equal "$(side_files "--source=$T/more/inner" -S "$T/more" "$SRC")" 'app.db-wal of third;' 'three, one in another'
equal "$(side_files "$SRC" "$MNT")" 'app.db-wal of more;app.db-wal of source;app.db-wal of third;inner/app.db-wal of more;' \
        'at a mountpoint'
equal "$(run "$SRC" "$MNT" -- sqlite3 -readonly "$MNT/app.db" 'SELECT x FROM t')" 1 'a database at the mountpoint'
nothing_left 'after the commands'
equal "$(ls "$MNT")" '' 'the mountpoint'

refused 'is not empty' run "$SRC" "$T/third" -- true
refused 'one directory too many' run "$SRC" "$T/more" "$T/third" -- true
refused 'only one source' run -S "$SRC" "$T/more" "$MNT" -- true
refused 'need a command' run -S "$SRC" -S "$T/more"
# The root directory at an empty one: the mirror of everything, itself included, since nobody else sees it.
if [ "$1" = root ]; then
        equal "$(run / "$MNT" -- sqlite3 -readonly "$MNT$SRC/app.db" 'SELECT x FROM t')" 1 'a database in the mirror of /'
        equal "$(run / "$MNT" -- ls "$MNT$MNT")" '' 'the mirror in the mirror'
fi
nothing_left 'at the end'
