#!/usr/bin/env bash
# A snapshot that lingers gives its room back when its time is over, as soon as another one needs it, and when a newer version
# of the same database has been made.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../stream/lib.sh"

for db in a b; do make_large "$SRC/$db.db" wal 10; done
begin='
from watch_copies import *
import sys
source, mount = sys.argv[1:]
applications = {name: Application(f"{source}/{name}.db") for name in "ab"}
for application in applications.values():
    application.commit()

def read(name, copied=True):
    """copied: keeps the file open until it is copied; else there would be nothing to linger."""
    before = written()
    with open(f"{mount}/{name}.db", "rb") as file:
        data = file.read()
        if copied:
            wait_for(lambda: written() - before >= len(data))
    assert data == applications[name].truth()
'
mount_fs -o linger=1s
watch_copies "$SRC" "$MNT" <<P
$begin
read("a")
read("b")
wait_for(lambda: copies() == 0)
P
unmount_fs

mount_fs -o linger=10m,max_space=16mib
watch_copies "$SRC" "$MNT" <<P
$begin
for _ in range(3):
    read("a")
    assert copies() == 1, "nothing lingers"
    read("b")
    assert copies() == 1, "both linger, in room for one"
P
unmount_fs

mount_fs -o linger=600
watch_copies "$SRC" "$MNT" <<P
$begin
for number in range(4):
    applications["a"].commit()
    read("a")
    read("b", number == 0)
    wait_for(lambda: copies() == 2)
P
unmount_fs
