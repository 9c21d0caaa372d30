#!/usr/bin/env bash
# P1, P3: from open to close neither the attributes nor the bytes move, however much is committed, though others open
# later states meanwhile by the same name; and a file that was opened before that is read only at the end still has the state
# of its open. Reopened through /proc it is the same snapshot.
# Usage: an-open-file-holds-still.sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

mount_fs -o busy_timeout=120000
start_writer "$SRC/app.db" --journal "$1" --size 500K --vacuum 5 --auto-vacuum 1
"$PYTHON" - "$MNT/app.db" "$T/record" "$(scaled 40)" <<'P'
import os, struct, sys
path, record, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
def acked():
    with open(record, "rb") as file:
        return struct.unpack("QQQ", file.read(24))[2]
def pick(fd):
    st = os.fstat(fd)
    return st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino, st.st_nlink, st.st_blocks
def read(fd):
    data, at = [], 0
    while chunk := os.pread(fd, 65536, at):
        data.append(chunk)
        at += len(chunk)
    return b"".join(data)
def commits(n):
    end = acked() + n
    while acked() < end:
        pass
held = []
for i in range(rounds):
    fd = os.open(path, os.O_RDONLY)
    late = os.open(path, os.O_RDONLY)
    held.append((fd, late, pick(fd), pick(late), read(fd)))
    commits(20)
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    assert pick(again) == pick(fd), "reopened through /proc"
    assert read(again) == held[-1][4], "reopened through /proc: bytes"
    os.close(again)
    for fd, late, at_open, late_at_open, data in held:
        assert pick(fd) == at_open and pick(late) == late_at_open, (i, pick(fd), at_open)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        assert read(fd) == data, f"round {i}: the bytes moved"
states = set()
for fd, late, at_open, late_at_open, data in held:
    data = read(late)
    assert len(data) == late_at_open[0] and data[:15] == b"SQLite format 3"
    states.add(data[24:28])
print(f"# {len(states)} states held open at one time")
assert len(states) > rounds / 2
P
stop_writer
still_serves
unmount_fs
