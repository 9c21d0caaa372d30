#!/usr/bin/python3
"""walk-held.py ROOT SOURCE MANY: opens ROOT/top and all directories of ROOT/top/many, as a walk by descriptors does, has SOURCE/top renamed
meanwhile, waits for a line on stdin, and reads by the descriptor that it holds: attributes, list and ROOT/top/later/file.
"""
import os
import sys

root, source = sys.argv[1:3]
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
top = os.open(root + "/top", DIRECTORY)
many = os.open("many", DIRECTORY, dir_fd=top)
for name in os.listdir(many):
    os.close(os.open(name, DIRECTORY, dir_fd=many))
os.close(many)
os.rename(source + "/top", source + "/renamed")
print("renamed", flush=True)
sys.stdin.readline()
os.fstat(top)
file = os.open("later/file", os.O_RDONLY, dir_fd=top)
said = os.read(file, 100).decode().strip()
names = ",".join(sorted(os.listdir(top)))
os.rename(source + "/renamed", source + "/top")
print(said, names)
