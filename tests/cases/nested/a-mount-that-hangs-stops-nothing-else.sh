#!/usr/bin/env bash
# A file system inside the source hangs, as a network mount does whose server is gone: a stopped bindfs plays it. Many
# readers wait for it. Its parent can be listed, all else is read, readers that are killed are gone soon, it is served again
# when it comes back, and SIGTERM and unmount end the daemon while it hangs.
# Usage: a-mount-that-hangs-stops-nothing-else.sh term|umount
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
mkdir -p "$T/remote/dir" "$SRC/net" "$SRC/home"
for i in $(seq 20); do
        echo "$i" | tee "$T/remote/$i" >"$SRC/home/$i"
done
sql "$T/remote/far.db" 'CREATE TABLE t(x)'
sql "$SRC/home/near.db" 'CREATE TABLE t(x)'
bindfs -f -o attr_timeout=0,entry_timeout=0,allow_other "$T/remote" "$SRC/net" &
SERVER=$!
OTHERS+=("$SERVER")
wait_for 20 is_mounted "$SRC/net"
go_on() {
        local status=$?
        trap - ERR
        set +e
        kill -CONT "$SERVER"
        (exit $status)
        case_end
}
trap go_on EXIT
mount_fs
equal "$(cd "$MNT" && find . | sort)" "$(cd "$SRC" && find . | sort)" "all is there"
kill -STOP "$SERVER"
# More than the daemon has threads, of every kind of request.
READERS=()
for i in $(seq 20); do
        for what in "cat $MNT/net/$i" "ls -l $MNT/net" "stat $MNT/net" "cat $MNT/net/far.db" "getfattr -d $MNT/net/dir"; do
                $what >"$T/null" 2>&1 &
                READERS+=($!)
        done
done
elsewhere() {
        equal "$(timeout 20 ls "$MNT" | tr '\n' ' ')" 'home net ' "the list of its parent"
        equal "$(timeout 20 cat "$MNT/home/7")" 7 "a file elsewhere"
        timeout 20 cat "$MNT/home/near.db" >"$T/null" || fail "a database elsewhere"
        equal "$(timeout 20 ls "$MNT/home" | wc -l)" 21 "a list elsewhere"
}
elsewhere
kill -KILL "${READERS[@]}"
for pid in "${READERS[@]}"; do
        wait_for 20 is_gone "$pid"
done
elsewhere

kill -CONT "$SERVER"
equal "$(timeout 60 cat "$MNT/net/3")" 3 "when it is back"
timeout 60 cat "$MNT/net/far.db" >"$T/null" || fail "a database, when it is back"
kill -STOP "$SERVER"

cat "$MNT/net/5" >"$T/null" 2>&1 &
OTHERS+=($!)
asked() {
        grep -q request_wait_answer "/proc/${OTHERS[-1]}/stack" 2>/dev/null || sleep 0.2
}
wait_for 20 asked
if [ "$1" = term ]; then kill -TERM "$DAEMON"; else umount -l "$MNT" && kill -KILL "${OTHERS[-1]}"; fi
wait_for 10 is_gone "$DAEMON"
wait "$DAEMON" || fail "the daemon ended with status $?"
DAEMON=
is_not_mounted "$MNT" || fail "still mounted"
logged 1 'does not answer'
no_reports
