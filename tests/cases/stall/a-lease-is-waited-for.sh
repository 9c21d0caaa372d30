#!/usr/bin/env bash
# A file server holds a lease on a file (Samba's oplocks, knfsd's delegations). Who opens it through the mount waits, as in the source,
# until it is given back, and delays nobody; who only looks (ls -l) does not make the server give it back.
. "$(dirname "$0")/../lib.sh"

seq 1 2000 >"$SRC/document"
echo short >"$SRC/short"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(7)'
seq 1 3000 >"$SRC/other"
for n in $(seq 40); do seq "$n" 2000 >"$SRC/many$n"; done
HOLDERS=()
is_held() {
        grep -q held "$T/$1.notes"
}
hold() { # NAME [SECONDS]
        rm -f "$T/$1.notes"
        : >"$T/$1.notes"
        "$PYTHON" "$TOOLS/hold-lease.py" "$SRC/$1" "$T/$1.notes" "${@:2}" &
        HOLDERS+=($!)
        OTHERS+=($!)
        wait_for 10 is_held "$1"
}
release() {
        kill "${HOLDERS[@]}"
        wait "${HOLDERS[@]}" || true
        HOLDERS=()
}
mount_fs

# New to the daemon, and known to it.
for round in 1 2; do
        for name in document short app.db; do
                hold "$name" 0.3
                cat "$MNT/$name" >"$T/copy" || fail "$name cannot be read while its lease is held (round $round)"
                cmp "$T/copy" "$SRC/$name"
                grep -q asked "$T/$name.notes" || fail "the lease of $name was never asked for"
                release
        done
done

# Looking asks for none.
hold other
hold document
ls -l "$MNT" >"$T/listed"
stat "$MNT/other" "$MNT/document" >"$T/listed"
if grep -q asked "$T/other.notes" "$T/document.notes"; then fail 'looking at a file breaks its lease'; fi

# More opens that wait than there are threads, and a user who gives up.
for n in $(seq 40); do hold "many$n"; done
for n in $(seq 40); do start_job "many$n" cat "$MNT/many$n"; done
is_asked() {
        grep -q asked "$T/$1.notes"
}
for n in $(seq 40); do wait_for 30 is_asked "many$n"; done
timeout 20 cat "$MNT/short" >"$T/copy" || fail 'others wait, too'
cat "$MNT/many1" >"$T/copy" &
impatient=$!
OTHERS+=("$impatient")
# Before that it is a shell, which may miss the signal; INT it has what it starts in the background ignore.
is_a_reader() {
        [ "$(cat "/proc/$impatient/comm")" = cat ]
}
wait_for 10 is_a_reader
kill -TERM "$impatient"
wait_for 10 is_gone "$impatient"
wait "$impatient" || true
for n in $(seq 40); do job_runs "many$n" || fail "many$n did not wait"; done
release
for n in $(seq 40); do
        finish_job "many$n"
        cmp "$T/many$n.out" "$SRC/many$n"
done

# The daemon ends while an open waits.
hold other
start_job last cat "$MNT/other"
wait_for 30 is_asked other
kill -TERM "$DAEMON"
wait_for 30 is_gone "$DAEMON"
release
