#!/usr/bin/env bash
# Part of the source lies on a file system that stops answering. Twelve requests hang in it, a thread each; whoever is elsewhere in
# the mount is served at once, and when the file system answers again the twelve get what they asked for.
. "$(dirname "$0")/../lib.sh"

need_root 'a file system that can be stopped'
command -v bindfs >"$T/null" || skip 'bindfs is not installed'
mkdir -p "$SRC/dir" "$SRC/far/away" "$T/real"
for i in $(seq 50); do echo "$i" >"$SRC/dir/$i"; done
for i in $(seq 12); do echo "$i" >"$T/real/$i"; done
sql "$SRC/small.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
cp "$SRC/small.db" "$SRC/big.db"
bindfs -f -o ro "$T/real" "$SRC/far/away" &
far=$!
OTHERS+=("$far")
MOUNTS+=("$SRC/far/away")
wait_for 30 is_mounted "$SRC/far/away"
mount_fs
equal "$(ls "$MNT/far")" away "before it stops"
kill -STOP "$far"
hanging() {
        # In stat(2) of our mount, which waits for stat(2) of the daemon's.
        [ "$(grep -l '^State:[[:space:]]*[SD]' "/proc/$DAEMON/task"/*/status | wc -l)" -ge 1 ] &&
                [ "$(pgrep -c -f "stat -c %s $MNT/far/away/")" = 12 ]
}
for i in $(seq 12); do start_job "far-$i" stat -c %s "$MNT/far/away/$i"; done
wait_for 30 hanging
"$PYTHON" "$TOOLS/busy-visitor.py" "$MNT" 50 >"$T/visitor" || fail "$(cat "$T/visitor")"
cat "$T/visitor"
for i in $(seq 12); do
        job_runs "far-$i" || fail "request $i is done, although the file system has stopped"
done
kill -CONT "$far"
for i in $(seq 12); do
        finish_job "far-$i" 60
        equal "$(cat "$T/far-$i.out")" "$(stat -c %s "$T/real/$i")" "size of $i"
done
unmount_fs
umount "$SRC/far/away"
