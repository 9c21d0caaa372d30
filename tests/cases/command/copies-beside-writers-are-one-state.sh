#!/usr/bin/env bash
# P1: copies that litesnap takes beside writers that never pause are one committed state each, of the moment of the copy; and
# the writers meet no error. usage: JOURNAL
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

start_writer "$SRC/app.db" --journal "$1" --size 3M
torture_reader --via-command --path "${AS[*]} $LITESNAP copy --snapshot-dir=$SNAP $SRC/app.db -" --snapshots "$(scaled 60)"
# The judge of a command convicts what is no copy.
torture_reader --via-command --path "cat $SRC/app.db" --snapshots 60 --expect-bad
# A check is of a snapshot as well: a live database passes.
exits 0 litesnap check --snapshot-dir="$SNAP" "$SRC"
stop_writer
no_drafts "$T"
