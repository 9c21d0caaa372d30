#!/usr/bin/python3
"""exchange.py SOURCE MOUNT NAME SECRET ROUNDS: looks NAME up in the mount, exchanges it with SECRET in the source, and opens what was looked
up. Prints how often that gave the word SECRET, as the first argument of the line, and what the refusals were.
"""
import ctypes
import errno
import os
import sys

AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)


def exchange(a, b):
    if libc.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def main(source, mount, name, secret, rounds):
    got, said = 0, set()
    for _ in range(int(rounds)):
        path = os.open(f"{mount}/{name}", os.O_PATH)
        exchange(f"{source}/{name}", f"{source}/{secret}")
        try:
            with open(f"/proc/self/fd/{path}", "rb") as file:
                got += b"TOPSECRET" in file.read()
        except OSError as error:
            said.add(errno.errorcode[error.errno])
        exchange(f"{source}/{name}", f"{source}/{secret}")
        os.close(path)
    print(got, *sorted(said))


main(*sys.argv[1:])
