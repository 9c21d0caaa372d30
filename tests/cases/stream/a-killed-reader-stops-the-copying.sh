#!/usr/bin/env bash
# A reader that is killed in mid-copy takes the copy with it, and its room, if nobody else waits for it: one that reads so slowly
# that a copy is made, and one that only keeps the file open.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" wal 100
paced
mount_fs -o linger=0
watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
from pace import Pace
import signal
import subprocess
import sys
source, mount = sys.argv[1:]
application = Application(source)
pace = Pace()
size = os.stat(source).st_size
slowly = """import sys, time
with open(sys.argv[1], 'rb', buffering=0) as file:
    while file.read(1 << 17):
        time.sleep(0.01)
"""
keeps = "import os, signal, sys; fd = os.open(sys.argv[1], os.O_RDONLY); signal.pause()"
for program, what in (slowly, "reads slowly"), (keeps, "keeps it open"):
    for number in range(2):
        application.commit()
        before = written()
        # The copy is in the middle for as long as the case wants.
        pace.hold(10 << 20)
        reader = subprocess.Popen([sys.executable, "-c", program, mount])
        wait_for(pace.is_held)
        reader.send_signal(signal.SIGKILL)
        assert reader.wait(60) == -signal.SIGKILL, "it left by itself"
        pace.creep(lambda: copies() == 0)
        after = written() - before
        print(f"# {what}, {size >> 20} MiB: {after >> 20} MiB written in all")
        assert after < size * 3 // 4, "the copying went on for nobody"
P
still_serves
unmount_fs
