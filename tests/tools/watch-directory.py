#!/usr/bin/python3
"""watch-directory.py DIRECTORY READY-FILE: prints every name that is created in DIRECTORY, by inotify, until killed."""
import ctypes
import os
import struct
import sys

IN_CREATE, IN_MOVED_TO = 0x100, 0x80
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.inotify_init()
if libc.inotify_add_watch(fd, os.fsencode(sys.argv[1]), IN_CREATE | IN_MOVED_TO) < 0:
    raise OSError(ctypes.get_errno(), "inotify_add_watch")
open(sys.argv[2], "w").close()
while events := os.read(fd, 65536):
    while events:
        length = struct.unpack("iIII", events[:16])[3]
        print(events[16:16 + length].rstrip(b"\0").decode(errors="backslashreplace"), flush=True)
        events = events[16 + length:]
