#!/usr/bin/env bash
# The lock discipline (fact S1): while a pin is held, the mount opens, reads and closes the same file by several names,
# hard links among them, and still no other process gets a write lock that would let it change what is being copied. The
# same test must go red for a program that differs only in using POSIX locks, which any close() drops.
#
# How: a large database is being read, the other names are used, and then the daemon is stopped while it holds its pin, so
# that there is time to ask for the lock just as SQLite in another process would.
# Usage: no-close-of-ours-drops-a-lock.sh wal|delete
. "$(dirname "$0")/../lib.sh"

journal=$1
need_root 'looks into the daemon'
db=$SRC/big.db
# Large enough that it is still being read when the other names have been used.
megabytes=1000
# A lost lock is seen in most rounds, not in each: enough of them in every build.
rounds=6

sql "$db" "PRAGMA journal_mode=$journal; PRAGMA synchronous=off; CREATE TABLE t(x); CREATE TABLE n(i);
        INSERT INTO n VALUES(0); WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k WHERE i < $megabytes)
        INSERT INTO t SELECT zeroblob(1000000) FROM k" >"$T/null"
# The application is there, and idle: it holds nothing that could be mistaken for a lock of ours.
"$PYTHON" "$TOOLS/hold-open.py" wal "$T/held" "$db" &
OTHERS+=($!)
wait_for 30 test -e "$T/held"

is_stopped() {
        grep -q '^State:[[:space:]]*T' "/proc/$DAEMON/status"
}

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
        done
}

# In WAL mode the pin stays while the reader is fast enough to need no copy; in rollback mode while the copy is made.
read_it() {
        "$PYTHON" -c 'import sys, time
with open(sys.argv[1], "rb", buffering=0) as file:
    while file.read(1 << 20):
        time.sleep(float(sys.argv[2]))' "$1" "$(if [ "$journal" = wal ]; then echo 0.002; else echo 0; fi)"
}

copied() {
        awk '/^write_bytes/ { print $2 }' "/proc/$DAEMON/io"
}

# One backup. Prints held, lost, or late when the pin was gone before the daemon could be stopped.
one_round() {
        local before verdict i
        sql "$db" "UPDATE n SET i = i + 1"
        before=$(copied)
        start_job copy read_it "$MNT/big.db"
        "$PYTHON" "$TOOLS/probe-lock.py" "$journal" "$db" wait || { kill "${OTHERS[-1]}"; return 1; }
        use_other_names "$1"
        kill -STOP "$DAEMON"
        wait_for 10 is_stopped
        verdict=$("$PYTHON" "$TOOLS/probe-lock.py" "$journal" "$db" try)
        if [ $(($(copied) - before)) -gt $((megabytes * 900000)) ] || ! job_runs copy; then verdict=late; fi
        kill -CONT "$DAEMON"
        finish_job copy 300
        for i in 1 2; do
                # In WAL mode a hard link is refused: the WAL lies beside the other name.
                if [ "$journal" = wal ]; then
                        wait_for 300 test -e "$T/alias.$1.$i.status"
                else
                        finish_job "alias.$1.$i" 300
                fi
        done
        rm -f "$SRC"/alias.* "$T"/*.out
        echo "$verdict"
}

# judge PROGRAM: its verdicts over some rounds, in $verdicts.
judge() {
        local round late=0
        verdicts=
        LITESNAPFS=$1
        mount_fs -o busy_timeout=1000
        for round in $(seq "$rounds"); do
                verdict=$(one_round "$round") || fail "$1: $verdict"
                if [ "$verdict" = late ]; then late=$((late + 1)); else verdicts+="$verdict "; fi
        done
        say "${1##*/}: ${verdicts}($late of $rounds rounds were over too soon)"
        [ -n "$verdicts" ] || fail "every copy was over before it could be stopped: nothing was proved"
        unmount_fs
}

real=$LITESNAPFS
judge "$real"
case $verdicts in *lost*) fail "a lock was lost while a backup ran" ;; esac
# What the test can see does not depend on the sanitizer.
is_plain || exit 0
judge "${LITESNAPFS_POSIX_LOCKS:?}"
case $verdicts in *lost*) ;; *) fail "the test is blind: it does not see POSIX locks being lost" ;; esac
