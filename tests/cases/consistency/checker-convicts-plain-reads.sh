#!/usr/bin/env bash
# The judge is worth something: a plain read of the raw file under the writers is found to be torn or stale.
. "$(dirname "$0")/../lib.sh"

for journal in wal delete truncate persist; do
        start_writer "$SRC/$journal.db" --journal "$journal" --size 4M
        torture_reader --path "$SRC/$journal.db" --snapshots 60 --expect-bad 2>&1 | tail -3
        stop_writer
done
