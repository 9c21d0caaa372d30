#!/usr/bin/env bash
# tar and rsync read a tree of databases under writers and find nothing to complain of: exit 0, not a word, and what
# they stored is good.
# Usage: copying-tools-raise-no-warning.sh JOURNAL-MODE
. "$(dirname "$0")/../lib.sh"

journal=$1
mkdir -p "$SRC/below"
echo text >"$SRC/text"
start_writer "$SRC/below/app.db" --journal "$journal" --size 2M
mount_fs -o busy_timeout=120000
for round in $(seq "$(scaled 10)"); do
        rm -rf "$T/out"
        mkdir "$T/out"
        tar cf "$T/out.tar" -C "$MNT" . 2>"$T/complaints" || fail "tar: $(cat "$T/complaints")"
        [ ! -s "$T/complaints" ] || fail "tar said: $(cat "$T/complaints")"
        rsync -a "$MNT/" "$T/out/" 2>"$T/complaints" || fail "rsync: $(cat "$T/complaints")"
        [ ! -s "$T/complaints" ] || fail "rsync said: $(cat "$T/complaints")"
        equal "$(find "$T/out" -type f -printf '%P\n' | sort | tr '\n' ' ')" "below/app.db text " "names in round $round"
        equal "$(tar tf "$T/out.tar" | sort | tr '\n' ' ')" "./ ./below/ ./below/app.db ./text " "names in tar"
        equal "$(sql "$T/out/below/app.db" 'PRAGMA integrity_check; SELECT sum(balance) FROM accounts')" \
                "$(printf 'ok\n400000')" "rsync's copy"
        tar xf "$T/out.tar" -C "$T/out"
        equal "$(sql "$T/out/below/app.db" 'PRAGMA integrity_check; SELECT sum(balance) FROM accounts')" \
                "$(printf 'ok\n400000')" "tar's copy"
done
stop_writer
unmount_fs
