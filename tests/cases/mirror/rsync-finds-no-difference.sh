#!/usr/bin/env bash
# P8: rsync with every check it knows finds the mirror equal to the source, contents and metadata.
. "$(dirname "$0")/../lib.sh"

mkdir -p "$SRC/a/b/c"
cp -a /usr/include "$SRC/real"
cp -a /etc/alternatives "$SRC/links" 2>/dev/null || true
sql "$SRC/at-rest.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
# Out of the current second, whose commits are reported as of the second before.
touch -d '1 minute ago' "$SRC/at-rest.db"
dd if=/dev/urandom of="$SRC/random" bs=1M count=20 status=none
ln "$SRC/random" "$SRC/a/hard"
setfattr -n user.x -v y "$SRC/random" 2>/dev/null || true
truncate -s 10M "$SRC/hole"
mount_fs
rsync -aHAXn --delete --checksum --itemize-changes "$SRC/" "$MNT/" >"$T/differences"
rsync -aHAXn --delete --checksum --itemize-changes "$MNT/" "$SRC/" >>"$T/differences"
[ ! -s "$T/differences" ] || fail "$(cat "$T/differences")"
unmount_fs
