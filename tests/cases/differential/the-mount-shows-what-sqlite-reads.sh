#!/usr/bin/env bash
# Promises 2 and 5: whatever lies there as a database and its side files, through the mount it is what SQLite makes of the same
# files, or refused for a reason that has a name. The same without a mount, thousands of times: tests/differential.
. "$(dirname "$0")/../lib.sh"
: "${DIFFERENTIAL:?the program that compares}"

mount_fs -o busy_timeout=400,racy=off
"$DIFFERENTIAL" --seed 5 --count "$(scaled 100)" --mount "$SRC" "$MNT"
still_serves
unmount_fs
