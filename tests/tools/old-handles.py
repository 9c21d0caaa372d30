#!/usr/bin/python3
"""old-handles.py SOURCE MOUNT ROUNDS: takes handles of files (name_to_handle_at), removes each, lets another file come, and opens the handle.
Prints how many of them opened a file, which is then another.
"""
import ctypes
import os
import sys

MAX_HANDLE = 128
libc = ctypes.CDLL(None, use_errno=True)


def handle_of(path):
    handle = ctypes.create_string_buffer(8 + MAX_HANDLE)
    ctypes.c_uint32.from_buffer(handle).value = MAX_HANDLE
    if libc.name_to_handle_at(-100, path.encode(), handle, ctypes.byref(ctypes.c_int()), 0) != 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return handle


def main(source, mount, rounds):
    root = os.open(mount, os.O_RDONLY)
    opened = 0
    for i in range(int(rounds)):
        with open(f"{source}/old{i}", "w") as file:
            file.write(f"{i:100}")
        handle = handle_of(f"{mount}/old{i}")
        os.unlink(f"{source}/old{i}")
        with open(f"{source}/new{i}", "w") as file:
            file.write(f"{i:200}")
        os.stat(f"{mount}/new{i}")
        fd = libc.open_by_handle_at(root, handle, os.O_RDONLY)
        if fd >= 0:
            opened += 1
            os.close(fd)
    print(opened)


main(*sys.argv[1:])
