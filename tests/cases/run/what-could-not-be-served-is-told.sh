#!/usr/bin/env bash
# A database that could not be served during the run is named at the end, and the status is 75, unless the command's own was not 0, or with
# strict=off. One that was served at another try is none.
# Usage: what-could-not-be-served-is-told.sh root|user
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/cases/run/lib.sh
. "$(dirname "$0")/lib.sh"
as_whom "$1"

for name in good locked bad; do
        sql "$SRC/$name.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(100000))'
done
truncate -s 9000 "$SRC/bad.db"
mkdir -m 777 "$T/notes"
[ "$1" = root ] || chown -R 65534:65534 "$SRC"

# told STATUS COUNT ARGUMENTS...: of so many databases.
told() {
        local want=$1 count=$2 status=0
        shift 2
        run -o busy_timeout=100 "$@" >"$T/out" 2>"$T/said" || status=$?
        equal "$status" "$want" "the status of $*"
        equal "$(grep -c 'could not be served' "$T/said")" "$count" "databases that are told of: $(cat "$T/said")"
        nothing_left "after $*"
}
told 0 0 "$SRC" -- cat "$SRC/good.db"
told 75 1 "$SRC" -- sh -c "cat $SRC/*.db; true"
grep -q "^litesnapfs: $SRC/bad.db: could not be served: Input/output error$" "$T/said" || fail "said: $(cat "$T/said")"
told 1 1 "$SRC" -- cat "$SRC/bad.db"
told 0 1 -o strict=off "$SRC" -- sh -c "cat $SRC/bad.db; true"
told 9 1 -o strict=on "$SRC" -- sh -c "cat $SRC/bad.db; exit 9"
refused 'strict is' run -o strict=maybe "$SRC" -- true

# Locked, and later not.
start_job locker as_them "$PYTHON" -c "
import os, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1])
db.execute('BEGIN EXCLUSIVE')
open(sys.argv[2] + '/held', 'w').close()
while not os.path.exists(sys.argv[2] + '/let-go'):
    time.sleep(0.02)
db.rollback()
db.close()
open(sys.argv[2] + '/free', 'w').close()
time.sleep(600)
" "$SRC/locked.db" "$T/notes"
wait_for 30 test -e "$T/notes/held"
told 75 1 "$SRC" -- sh -c "cat $SRC/locked.db; true"
grep -q 'locked.db: could not be served: Device or resource busy' "$T/said" || fail "said: $(cat "$T/said")"
# shellcheck disable=SC2016 # it is the command that expands these
told 0 0 "$SRC" -- bash -c 'cat "$2/locked.db"; : >"$1/let-go"; until [ -e "$1/free" ]; do sleep 0.02; done; cat "$2/locked.db"' \
        bash "$T/notes" "$SRC"
grep -q 'locked.db.*busy' "$T/said" || fail "was not refused before: $(cat "$T/said")"
