#!/usr/bin/python3
"""automounter.py DIRECTORY FILE: an autofs direct mount at DIRECTORY, whose daemon refuses everything that it is asked for,
and says so in FILE. SIGTERM unmounts it."""
import ctypes
import fcntl
import os
import signal
import struct
import sys

directory, asked = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
AUTOFS_IOC_FAIL, AUTOFS_IOC_CATATONIC = 0x9361, 0x9362


def end(*_):
    libc.umount2(directory.encode(), 2)
    os._exit(0)


os.setpgid(0, 0)
reader, writer = os.pipe2(os.O_DIRECT)
options = f"fd={writer},pgrp={os.getpgrp()},minproto=5,maxproto=5,direct"
if libc.mount(b"automounter", directory.encode(), b"autofs", 0, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.close(writer)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
root = os.open(directory, os.O_RDONLY)
with open(asked, "w", buffering=1) as log:
    while True:
        packet = os.read(reader, 4096)
        if not packet:
            break
        token = struct.unpack_from("iiI", packet)[2]
        print("asked", token, file=log)
        fcntl.ioctl(root, AUTOFS_IOC_FAIL, token)
