#!/usr/bin/env bash
# A large database is read past the page cache, one request for each read(), which is fast for large reads. A program that was
# seen to read in small pieces gets it through the page cache the next time, and whoever else reads is none the worse for it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

[ "$(printf '%s\n' 6.6 "$(uname -r)" | sort -V | head -1)" = 6.6 ] || skip 'before Linux 6.6 all is cached'
make_large "$SRC/big.db" wal 20
# Programs are known by their executables.
for program in small large; do cp "$(command -v dd)" "$T/$program"; done
mount_fs -d -o passthrough=off

# asked PROGRAM SIZE COUNT: reads a new version, in so many pieces; how often the daemon was asked.
asked() {
        sql "$SRC/big.db" 'UPDATE n SET n = n + 1'
        : >"$LOG"
        "$T/$1" if="$MNT/big.db" of="$T/$1.out" bs="$2" count="$3" status=none
        grep -c 'opcode: READ (' "$LOG" || true
}

first=$(asked small 4096 2000)
again=$(asked small 4096 2000)
cmp "$T/small.out" <(head -c 8192000 "$MNT/big.db")
large=$(asked large 1M 8)
large_again=$(asked large 1M 8)
cmp "$T/large.out" <(head -c 8388608 "$MNT/big.db")
say "2000 reads of 4 KiB: asked $first times, and $again the next time; 8 reads of 1 MiB: $large and $large_again"
[ "$first" -ge 2000 ] || fail "the first time it was cached"
[ "$again" -lt 500 ] || fail "it is not cached"
[ $((large + large_again)) -le 32 ] || fail "large reads are cut to pieces"
unmount_fs
