#!/usr/bin/env bash
# litesnapfs SOURCE -- COMMAND: the command finds consistent databases at the same path, with the working directory inside, too; its
# arguments, input, output and status are its own; nobody else sees a mount, and nothing is left.
# Usage: a-command-sees-the-mirror-in-place.sh root|user
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/cases/run/lib.sh
. "$(dirname "$0")/lib.sh"
as_whom "$1"

mkdir "$SRC/sub" "$T/a b"
echo text >"$SRC/sub/file"
sql "$SRC/app.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(x)' >"$T/null"
[ "$1" = root ] || chown -R 65534:65534 "$SRC"
# Someone has it open, and what was committed is in the WAL alone.
start_job holder as_them "$PYTHON" -c "
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute('PRAGMA wal_autocheckpoint=0')
db.execute('INSERT INTO t VALUES(4711)')
db.commit()
open(sys.argv[2], 'w').close()
time.sleep(600)
" "$SRC/app.db" "$SRC/sub/ready"
wait_for 30 test -e "$SRC/sub/ready"

# shellcheck disable=SC2016 # it is the command that expands these
script='ls "$1"; sqlite3 -readonly "$1/app.db" "SELECT x FROM t"; cmp "$1/app.db" "$2" && echo raw; cat "$1/sub/file"; echo "$3"'
cp "$SRC/app.db" "$T/raw"
said=$(run "$SRC" -- sh -c "$script" sh "$SRC" "$T/raw" 'two words' 2>&1) || fail "status $?: $said"
grep -q "^4711$" <<<"$said" || fail "no commit of the WAL: $said"
grep -q "differ" <<<"$said" || fail "the raw file: $said"
grep -q "^two words$" <<<"$said" || fail "the arguments: $said"
if grep -q -e '-wal' <<<"$said"; then fail "side files: $said"; fi
nothing_left 'after a command'
test -e "$SRC/app.db-wal" || fail 'the source was touched'

# Relative, from inside, and input and output.
cd "$SRC/sub"
equal "$(run .. -- sh -c 'ls ..' | tr '\n' ' ')" 'app.db sub ' 'from inside'
equal "$(run "$SRC" -- sh -c 'ls ..; cat' <<<input | tr '\n' ' ')" 'app.db sub input ' 'from inside, with an absolute name'
refused 'Read-only file system' run .. -- touch new
cd "$T"
ln -s source link
equal "$(run link -- sh -c 'ls link source' | grep -c -e -wal)" 0 'through a symbolic link'

# The status.
for want in 0 1 3 75 255; do
        status=0
        run "$SRC" -- sh -c "exit $want" || status=$?
        equal "$status" "$want" 'the status'
done
status=0
run "$SRC" -- sh -c 'kill -9 $$' || status=$?
equal "$status" 137 'the status of what signal 9 ended'
status=0
run "$SRC" -- "$T/nowhere" 2>"$T/said" || status=$?
equal "$status" 127 'the status of what is not there'
grep -q "nowhere.*No such file" "$T/said" || fail "said: $(cat "$T/said")"
status=0
run "$SRC" -- "$T" 2>"$T/said" || status=$?
equal "$status" 126 'the status of what cannot be run'
# Nothing is said beside what the command says.
equal "$(run "$SRC" -- true 2>&1)" '' 'what it says'
# What cannot be had.
for arguments in "$T/nowhere -- true" "$T/raw -- true" "-- true" "$SRC --"; do
        status=0
        # shellcheck disable=SC2086 # several arguments
        run $arguments 2>"$T/said" || status=$?
        equal "$status" 1 "the status of $arguments"
        test -s "$T/said" || fail "nothing was said of $arguments"
done
refused "in place of '/'" run / -- true
# Snapshots find room in the source itself, too, although the command cannot write there.
mkdir "$SRC/room"
chmod 777 "$SRC/room"
equal "$(timeout 60 "${AS[@]}" "$LITESNAPFS" -o "snapshot_dir=$SRC/room" "$SRC" -- sqlite3 -readonly "$SRC/app.db" 'SELECT x FROM t')" 4711 \
        'with snapshots in the source'
nothing_left 'at the end'
