#!/usr/bin/python3
"""Prints every name below a directory, one line each, with all that must not change when somebody merely reads:
type and mode, owner, links, size, mtime, ctime, and what it holds (sha256, or where a symlink points)."""
import hashlib
import os
import stat
import sys


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return repr(os.readlink(path))
    if not stat.S_ISREG(st.st_mode):
        return "-"
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def line(root, path):
    st = os.lstat(path)
    size = "-" if stat.S_ISDIR(st.st_mode) else st.st_size
    return f"{os.path.relpath(path, root)!r} {st.st_mode:o} {st.st_uid}:{st.st_gid} {st.st_nlink} {size} " \
           f"{st.st_mtime_ns} {st.st_ctime_ns} {content(path, st)}"


def main():
    root = os.fsencode(sys.argv[1])
    lines = [line(root, root)]
    for directory, directories, files in os.walk(root):
        lines += [line(root, os.path.join(directory, name)) for name in directories + files]
    print("\n".join(sorted(lines)))


main()
