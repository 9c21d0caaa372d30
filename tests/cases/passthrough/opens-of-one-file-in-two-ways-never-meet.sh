#!/usr/bin/env bash
# F7: the kernel refuses (EIO) to have one inode open in two ways. Many processes that open, read and close the same ordinary
# file, which is replaced in the source all the while, at times by one that is too short to be passed through, never see EIO, and
# never bytes of two files in one read. (ESTALE they may see here, where the file is replaced faster than a path is walked.)
. "$(dirname "$0")/../lib.sh"

for passthrough in auto off; do
        mount_fs -o passthrough=$passthrough
        "$PYTHON" - "$SRC/file" "$MNT/file" "$(scaled 2000)" <<'P'
import os
import subprocess
import sys
source, mount, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])

def put(number):
    """Replaced by another, mostly; each file is one byte many times over."""
    body = bytes([65 + number % 26]) * (5 if number % 3 == 0 else 20000)
    with open(source + ".new", "wb") as file:
        file.write(body)
    os.rename(source + ".new", source)

reader = """
import errno, os, sys
good = stale = 0
while good < int(sys.argv[2]):
    fds = []
    try:
        fds += [os.open(sys.argv[1], os.O_RDONLY), os.open(sys.argv[1], os.O_RDONLY)]
        fds.append(os.open(f"/proc/self/fd/{fds[0]}", os.O_RDONLY))
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
        stale += 1
    for fd in fds:
        data = os.pread(fd, 30000, 0)
        if len(set(data)) != 1 or len(data) not in (5, 20000):
            raise SystemExit(f"{len(data)} bytes of {len(set(data))} files")
        os.close(fd)
    good += len(fds) == 3
print(f"# {good} rounds, in {stale} more it was replaced")
"""
put(1)
readers = [subprocess.Popen([sys.executable, "-c", reader, mount, str(rounds)]) for _ in range(3)]
number = 1
while any(process.poll() is None for process in readers):
    number += 1
    put(number)
assert all(process.returncode == 0 for process in readers), "a reader met an error"
print(f"# beside {number} replacements")
P
        still_serves
        unmount_fs
done
