#!/usr/bin/env bash
# An ordinary user's command reads through the mirror what the user may read in the source, by all of his groups, and nothing else.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/cases/run/lib.sh
. "$(dirname "$0")/lib.sh"
as_whom user

# Not nobody, whose number stands for all that a user namespace does not know.
AS=(setpriv --reuid 4242 --regid 4242 "--groups=4242,4711" -- env "HOME=$T")
chown 4242:4242 "$SNAP"
file() {
        echo "$1" >"$SRC/$1"
        chown "$2" "$SRC/$1"
        chmod "$3" "$SRC/$1"
}
file own 4242:4242 600
file own-closed 4242:4242 000
file all 0:0 644
file roots 0:0 600
file group 0:4711 640
file not-for-group 0:4711 604
sql "$SRC/group.db" 'CREATE TABLE t(x)'
chown 0:4711 "$SRC/group.db"
chmod 640 "$SRC/group.db"
mkdir -m 700 "$SRC/closed"
: >"$SRC/closed/file"
mkdir -m 750 "$SRC/open-to-group"
: >"$SRC/open-to-group/file"
chown 0:4711 "$SRC/open-to-group"
# shellcheck disable=SC2016 # it is the command that expands these
look='cd "$1"; for name in *; do if [ -d "$name" ]; then ls "$name" >/dev/null 2>&1; else cat "$name" >/dev/null 2>&1; fi; echo "$name $?"; done'
"${AS[@]}" sh -c "$look" sh "$SRC" >"$T/raw"
grep -q '^group.db 0$' "$T/raw" || fail "the source itself: $(cat "$T/raw")"
run -o strict=off "$SRC" -- sh -c "$look" sh "$SRC" >"$T/mirrored" 2>"$T/said"
diff "$T/raw" "$T/mirrored" || fail 'the rights are not those in the source'
equal "$(run "$SRC" -- id -u)" 4242 'who the command runs as'
nothing_left 'at the end'
