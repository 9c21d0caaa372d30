#!/usr/bin/env bash
# P1 with the reflink engine, which lays committed pages of the WAL over a clone of the main file: under writers, checkpoints of all
# kinds at random moments, VACUUM, growth and shrinking, no copy is bad, and what was wanted to be proven was: reflinks.
# Usage: every-copy-is-one-state.sh xfs|btrfs wal|delete SNAPSHOTS
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_disk "$1"
SNAP=$DISK/snapshots
# Made at the open, not when a reader turns out to be slow: else few would be read.
mount_fs -o busy_timeout=120000,engine=reflink
seed=0
for page_size in 1024 4096 32768; do
        seed=$((seed + 1))
        start_writer "$SRC/$page_size.db" --journal "$2" --page-size "$page_size" --size 2M --seed $seed --checkpoint 50 \
                --vacuum 10 --auto-vacuum $((seed % 3)) --reopen 5
        torture_reader --path "$MNT/$page_size.db" --snapshots "$(scaled $(($3 / 3 + 1)))" --readers 3 --seed $seed
        # An application that opens or closes just now may turn an open to the private way: most must be reflinks.
        for _ in $(seq 20); do engine_of "$MNT/$page_size.db"; done >"$T/engines"
        [ "$(grep -c '^reflink$' "$T/engines")" -ge 15 ] || fail "not reflinks, but: $(sort "$T/engines" | uniq -c)"
        stop_writer
        still_serves
done
logged 1 'engine in use: reflink'
logged 0 'engine in use: copy'
unmount_fs
