#!/usr/bin/python3
"""seek-directory.py DIRECTORY COUNT: telldir and seekdir return to where they were; rewinddir starts again."""
import ctypes
import random
import sys

libc = ctypes.CDLL(None, use_errno=True)


class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_ulong), ("off", ctypes.c_long), ("reclen", ctypes.c_ushort),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


libc.opendir.restype = ctypes.c_void_p
libc.readdir.restype = ctypes.POINTER(Dirent)
libc.readdir.argtypes = libc.telldir.argtypes = libc.rewinddir.argtypes = [ctypes.c_void_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]


def main():
    directory = libc.opendir(sys.argv[1].encode())
    names, places = [], []
    while True:
        places.append(libc.telldir(directory))
        entry = libc.readdir(directory)
        if not entry:
            break
        names.append(entry.contents.name)
    assert len(names) == len(set(names)) == int(sys.argv[2]) + 2, len(names)
    random.seed(1)
    for i in random.sample(range(len(names)), 200):
        libc.seekdir(directory, places[i])
        assert libc.readdir(directory).contents.name == names[i], i
    libc.rewinddir(directory)
    assert libc.readdir(directory).contents.name == names[0]


main()
