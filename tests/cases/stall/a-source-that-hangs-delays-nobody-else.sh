#!/usr/bin/env bash
# Part of the source lies on a file system that stops answering. Twelve requests for names in one directory hang in it, each on its own;
# whoever is elsewhere in the mount is served at once, and when the file system answers again the twelve get what they asked for.
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
# Of a name that was never looked up the kernel asks once, whoever waits for it.
equal "$(cat "$MNT/far/away/7")" 7 "a file there, before it stops"
kill -STOP "$far"
# All twelve must have come to the daemon: the kernel may let one LOOKUP into a directory at a time.
mkdir "$T/control"
mount -t fusectl none "$T/control"
waiting=$T/control/$(stat -c %d "$MNT")/waiting
hanging() {
        [ "$(cat "$waiting")" -ge 12 ]
}
for i in $(seq 12); do start_job "far-$i" stat -c %s "$MNT/far/away/$i"; done
wait_for 30 hanging
timeout 60 "$PYTHON" "$TOOLS/busy-visitor.py" "$MNT" 50 >"$T/visitor" || fail "others wait as well: $(cat "$T/visitor")"
cat "$T/visitor"
for i in $(seq 12); do
        job_runs "far-$i" || fail "request $i is done, although the file system has stopped"
done
kill -CONT "$far"
for i in $(seq 12); do
        finish_job "far-$i" 60
        equal "$(cat "$T/far-$i.out")" "$(stat -c %s "$T/real/$i")" "size of $i"
done
umount "$T/control"
unmount_fs
umount "$SRC/far/away"
