#!/usr/bin/env bash
# A lack of memory for a moment is an error of one request, if that, and not the end of the daemon: whichever of its
# allocations fails once it serves, libfuse's too. Before, it is a start that fails with a status.
. "$(dirname "$0")/../lib.sh"

is_plain || skip 'a sanitizer has allocations of its own'
echo text >"$SRC/file"
mkdir "$SRC/directory"
sql "$SRC/app.db" 'PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(100000))' >"$T/null"
walk() {
        ls -laR "$MNT"
        cat "$MNT/file" "$MNT/app.db"
        getfattr -d "$MNT/app.db"
}
serves_or_is_dead() {
        test -e "$MNT/file" || is_gone "$DAEMON"
}
once_more() {
        "$@" 2>"$T/null" || "$@"
}
plain=("${AS[@]}")
# without BYTES N: the Nth allocation of so many bytes or more fails.
without() {
        local status=0
        AS=("${plain[@]}" env "LD_PRELOAD=$FAIL_ALLOC" "FAIL_ALLOC_MIN=$1" "FAIL_ALLOC_NTH=$2")
        "${AS[@]}" "$LITESNAPFS" -f -o "linger=0,snapshot_dir=$SNAP" "$SRC" "$MNT" >>"$LOG" 2>&1 &
        DAEMON=$!
        wait_for 30 serves_or_is_dead
        # What cannot start says so with its status, and leaves no mount.
        if is_gone "$DAEMON"; then
                is_not_mounted "$MNT" || fail "a mount is left of a start without allocation $2 of $1 bytes"
                wait "$DAEMON" || status=$?
                DAEMON=
                equal "$status" 1 "status of a start without allocation $2 of $1 bytes"
                return
        fi
        walk >"$T/null" 2>&1 || true
        still_serves
        # Only one fails, be it in here.
        once_more cmp "$SRC/file" "$MNT/file" || fail "a file, without allocation $2 of $1 bytes"
        equal "$(once_more sql -readonly "$MNT/app.db" 'PRAGMA integrity_check')" ok "the database, without allocation $2 of $1 bytes"
        # Two for each thread of libfuse's, and what is open all the time.
        [ "$(descriptors)" -le 50 ] || fail "$(descriptors) descriptors, without allocation $2 of $1 bytes"
        unmount_fs
}
# The large ones: our tables, and the buffer of each thread of libfuse's.
for nth in $(seq 8); do
        without 1000000 "$nth"
done
for nth in $(seq 1 11 300); do
        without 1 "$nth"
done
