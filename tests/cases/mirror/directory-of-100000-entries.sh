#!/usr/bin/env bash
# P8: a directory of 100,000 names is listed whole, each name once, also by a reader who seeks, rewinds and reads slowly while
# others do the same.
. "$(dirname "$0")/../lib.sh"

count=$(scaled 100000)
mkdir "$SRC/many"
"$PYTHON" - "$SRC/many" "$count" <<'P'
import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    os.close(os.open(f"file with a name of some length {i}", os.O_CREAT | os.O_WRONLY))
P
mount_fs
expected=$(find "$SRC/many" -printf '%P\n' | sort | sha256sum)
for i in 1 2 3; do
        start_job "find$i" bash -c "find '$MNT/many' -printf '%P\n' | sort | sha256sum"
done
for i in 1 2 3; do
        finish_job "find$i"
        equal "$(cat "$T/find$i.out")" "$expected" "the list"
done
# shellcheck disable=SC2012 # ls is what is tried: it asks for names alone
equal "$(ls -f "$MNT/many" | wc -l)" $((count + 2)) "names by ls -f"
"$PYTHON" "$TOOLS/seek-directory.py" "$MNT/many" "$count"
unmount_fs
