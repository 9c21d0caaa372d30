#!/usr/bin/env bash
# The lock discipline (fact S1): while a pin is held, the mount opens, reads and closes the same file by several names,
# hard links among them, and still no other process gets a write lock that would let it change what is being copied. The
# same test must go red for a program that differs only in using POSIX locks, which any close() drops.
#
# How: a database is being copied, and held there by the case; the other names are used, and then the case asks for the lock
# just as SQLite in another process would.
# Usage: no-close-of-ours-drops-a-lock.sh wal|delete
. "$(dirname "$0")/../lib.sh"

journal=$1
need_root 'looks into the daemon'
db=$SRC/big.db
megabytes=20
rounds=3

sql "$db" "PRAGMA journal_mode=$journal; PRAGMA synchronous=off; CREATE TABLE t(x); CREATE TABLE n(i);
        INSERT INTO n VALUES(0); WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < $megabytes)
        INSERT INTO t SELECT zeroblob(1000000) FROM k" >"$T/null"
# The application is there, and idle: it holds nothing that could be mistaken for a lock of ours.
"$PYTHON" "$TOOLS/hold-open.py" wal "$T/held" "$db" &
OTHERS+=($!)
wait_for 60 test -e "$T/held"

# Every name under which the file can be reached is looked at; a link makes the ctime new, so that what the mount
# remembers of the file is void and it opens, reads and closes it again.
use_other_names() {
        local i
        for i in 1 2; do
                ln "$db" "$SRC/alias.$1.$i"
                stat "$MNT/alias.$1.$i" >"$T/null"
                ls -l "$MNT" >"$T/null"
                getfattr -d "$MNT/alias.$1.$i" >"$T/null" 2>&1 || true
                start_job "alias.$1.$i" head -c 100000 "$MNT/alias.$1.$i"
                stat "$MNT/alias.$1.$i" "$MNT/big.db" >"$T/null"
                # In WAL mode a hard link is refused: the WAL lies beside the other name.
                if [ "$journal" = wal ]; then
                        wait_for 120 test -e "$T/alias.$1.$i.status"
                else
                        finish_job "alias.$1.$i"
                fi
        done
}

# Opens it, and reads it when the case says so; meanwhile it is copied.
read_it() {
        "$PYTHON" -c 'import os, sys, time
with open(sys.argv[1], "rb", buffering=0) as file:
    file.read(4096)
    while not os.path.exists(sys.argv[2]):
        time.sleep(0.02)
    while file.read(1 << 20):
        pass' "$1" "$2"
}

# One backup, held at a fifth of the way. Prints held or lost.
one_round() {
        sql "$db" "UPDATE n SET i = i + 1"
        rm -f "$T/go"
        pace hold 4000000
        start_job copy read_it "$MNT/big.db" "$T/go"
        wait_for 60 pace is_held
        "$PYTHON" "$TOOLS/probe-lock.py" "$journal" "$db" wait
        use_other_names "$1"
        pace is_held || fail 'the copy is over: nothing to prove'
        "$PYTHON" "$TOOLS/probe-lock.py" "$journal" "$db" try
        touch "$T/go"
        pace free
        finish_job copy
        rm -f "$SRC"/alias.* "$T"/*.out
}

# judge PROGRAM: its verdicts over some rounds, in $verdicts.
judge() {
        local round verdict
        verdicts=
        LITESNAPFS=$1
        mount_fs -o busy_timeout=300
        for round in $(seq "$rounds"); do
                verdict=$(one_round "$round") || fail "$1: $verdict"
                verdicts+="$verdict "
        done
        say "${1##*/}: $verdicts"
        unmount_fs
}

paced
real=$LITESNAPFS
judge "$real"
case $verdicts in *lost*) fail "a lock was lost while a backup ran" ;; esac
# What the test can see does not depend on the sanitizer.
is_plain || exit 0
judge "${LITESNAPFS_POSIX_LOCKS:?}"
case $verdicts in *lost*) ;; *) fail "the test is blind: it does not see POSIX locks being lost" ;; esac
