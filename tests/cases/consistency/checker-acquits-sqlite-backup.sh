#!/usr/bin/env bash
# The judge is fair: what SQLite's own online backup takes under the same writers passes.
. "$(dirname "$0")/../lib.sh"

for journal in wal delete truncate persist; do
        start_writer "$SRC/$journal.db" --journal "$journal" --size 4M
        torture_reader --path "$SRC/$journal.db" --snapshots 60 --via-backup
        stop_writer
done
