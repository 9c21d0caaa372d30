#!/usr/bin/python3
"""keep-path.py FILE: opens FILE as a place (O_PATH) and prints "kept"; then, for each line on stdin, tries to open it by that place and prints
"open" or the errno's name.
"""
import errno
import os
import sys

path = os.open(sys.argv[1], os.O_PATH)


def attempt():
    try:
        with open(f"/proc/self/fd/{path}", "rb") as file:
            os.fstat(file.fileno())
            file.read(100)
        return "open"
    except OSError as error:
        return errno.errorcode[error.errno]


print("kept", flush=True)
for _ in sys.stdin:
    print(attempt(), flush=True)
