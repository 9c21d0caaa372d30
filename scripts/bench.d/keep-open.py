#!/usr/bin/python3
"""keep-open.py DIRECTORY: an application that has all databases of a directory open, in use, until its stdin ends."""
import os
import resource
import sqlite3
import sys

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
connections = []
for name in sorted(os.listdir(sys.argv[1])):
    connections.append(sqlite3.connect(os.path.join(sys.argv[1], name), isolation_level=None))
    connections[-1].execute("UPDATE t SET stamp = stamp + 1 WHERE id = 1")
print("ready", flush=True)
sys.stdin.read()
