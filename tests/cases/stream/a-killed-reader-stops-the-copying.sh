#!/usr/bin/env bash
# A reader that is killed in mid-copy takes the copy with it, and its room, if nobody else waits for it: one that reads so slowly
# that a copy is made, and one that only keeps the file open.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" wal 400
mount_fs -o linger=0
watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
import signal
import subprocess
import sys
source, mount = sys.argv[1:]
application = Application(source)
size = os.stat(source).st_size
slowly = """import sys, time
with open(sys.argv[1], 'rb', buffering=0) as file:
    while file.read(1 << 17):
        time.sleep(0.01)
"""
keeps = "import os, signal, sys; fd = os.open(sys.argv[1], os.O_RDONLY); signal.pause()"
for program, what in (slowly, "reads slowly"), (keeps, "keeps it open"):
    gone = given_up = 0
    for number in range(5):
        application.commit()
        before = written()
        reader = subprocess.Popen([sys.executable, "-c", program, mount])
        wait_for(lambda: written() - before > 8 << 20)
        reader.send_signal(signal.SIGKILL)
        killed = reader.wait() == -signal.SIGKILL
        then = written() - before
        wait_for(lambda: copies() == 0)
        after = written() - before
        print(f"# {what}, {size >> 20} MiB: {then >> 20} MiB written when it was gone, {after >> 20} MiB in all")
        gone += killed and then < size * 3 // 4
        given_up += killed and after < size * 3 // 4
    assert gone >= 3, "a killed reader had to wait for the copy"
    assert given_up >= 3, "the copying went on for nobody"
P
still_serves
unmount_fs
