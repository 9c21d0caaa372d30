#!/usr/bin/python3
"""hold-lease.py FILE NOTES [SECONDS]: holds a write lease on FILE as a file server does, notes "held" in NOTES, and when somebody opens the
file "asked", and gives the lease back after so many seconds; without SECONDS it keeps it until it is killed.
"""
import fcntl
import os
import signal
import sys
import time

file = os.open(sys.argv[1], os.O_RDWR)
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else None


def note(word):
    with open(sys.argv[2], "a") as notes:
        print(word, file=notes)


def asked(*_):
    note("asked")
    if seconds is not None:
        time.sleep(seconds)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)


signal.signal(signal.SIGIO, asked)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
note("held")
while True:
    signal.pause()
