#!/usr/bin/env bash
# T6: applications open their databases, commit and close them in a loop, so that side files appear and vanish all the time.
# tar ends with 0 and says nothing; a directory that somebody reads keeps its times; what comes and goes is never seen.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$SRC/a/b" "$SRC/c"
for dir in a a/b c; do
        seq 300 | while read -r i; do echo "$i" >"$SRC/$dir/file $i"; done
done
come_and_go() {
        "$PYTHON" - "$SRC" "$T/churns" "$T/stop" <<'P'
import os, sqlite3, sys
source, ready, stop = sys.argv[1:]
rounds = 0
while not os.path.exists(stop):
    for place, journal in (("top.db", "wal"), ("a/app.db", "wal"), ("a/b/app.db", "delete"), ("c/app.db", "wal")):
        writer = sqlite3.connect(f"{source}/{place}", isolation_level=None, timeout=60)
        if rounds == 0:
            writer.execute(f"PRAGMA journal_mode={journal}")
            writer.execute("CREATE TABLE t(x)")
        writer.execute("INSERT INTO t VALUES(1)")
        writer.close()
    rounds += 1
    if rounds == 5:
        open(ready, "w").close()
print(rounds)
P
}
start_job churn come_and_go
wait_for 60 test -e "$T/churns"
mount_fs -o busy_timeout=120000
for round in $(seq "$(scaled 15)"); do
        tar cf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "round $round: tar ended with $?: $(cat "$T/said")"
        [ ! -s "$T/said" ] || fail "round $round: tar said $(cat "$T/said")"
        equal "$(tar tf "$T/out.tar" | grep -c .)" 908 "names in the archive"
        job_runs churn || fail "the applications ended: $(cat "$T/churn.out")"
done
"$PYTHON" - "$SRC/c" "$MNT/c" <<'P'
import os, sys, time
source, mount = sys.argv[1:]
fd = os.open(mount, os.O_RDONLY)
before = os.fstat(fd)
raw = {os.lstat(source).st_mtime_ns}
end = time.monotonic() + 120
# Longer than the kernel believes what it was told.
until = time.monotonic() + 1.5
while time.monotonic() < until or len(raw) < 3:
    assert time.monotonic() < end, "the source's directory does not change"
    raw.add(os.lstat(source).st_mtime_ns)
    now = os.fstat(fd)
    assert all(getattr(now, f) == getattr(before, f) for f in ("st_mtime_ns", "st_ctime_ns", "st_size", "st_nlink")), (before, now)
    time.sleep(0.02)
P
touch "$T/stop"
finish_job churn
unmount_fs
