#!/usr/bin/env bash
# P1, P2, P3: under writers that commit without pause every copy through the mount is one committed state, complete, and
# of the moment of its open; no WAL writer sees SQLITE_BUSY because of us.
# Usage: every-copy-is-one-state.sh JOURNAL-MODE [ENGINE]
. "$(dirname "$0")/../lib.sh"

journal=$1
number=0
mount_fs -o busy_timeout=120000,engine="${2:-auto}"
for page_size in 512 4096 65536; do
        number=$((number + 1))
        start_writer "$SRC/$page_size.db" --journal "$journal" --page-size "$page_size" --size 2M --seed $number
        torture_reader --path "$MNT/$page_size.db" --snapshots "$(scaled 110)" --readers 3 --seed $number
        stop_writer
        still_serves
done
unmount_fs
