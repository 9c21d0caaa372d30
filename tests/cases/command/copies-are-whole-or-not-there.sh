#!/usr/bin/env bash
# copy: DEST is the whole copy or what it was before, whatever goes wrong: a full disk, a signal, a bad database, a locked one; what
# must not be replaced is not; nothing else stays; a pipe gets the same bytes.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

copy() {
        litesnap copy --snapshot-dir="$SNAP" "$@"
}
# untouched: DEST is as it was, and there is no draft.
untouched() {
        equal "$(cat "$T/dest/old.db")" old 'DEST'
        no_drafts "$T"
}
mkdir "$T/dest"
echo old >"$T/dest/old.db"

for state in closed-wal crash-wal crash-delete closed-persist pages-65536; do
        make_state $state "$SRC/$state.db"
        chmod 640 "$SRC/$state.db"
        exits 0 copy "$SRC/$state.db" "$T/dest/$state.db"
        equal "$(sql "$T/dest/$state.db" 'PRAGMA integrity_check; SELECT n FROM stamp' | tr '\n' ' ')" 'ok 7 ' "the copy of $state"
        rm -f "$T/dest/$state.db"-*
        exits 0 copy --verify "$SRC/$state.db" "$T/dest/$state.db"
        equal "$(stat -c %a "$T/dest/$state.db")" 640 'the mode of a copy'
        cmp <(copy "$SRC/$state.db" -) <(copy --verify "$SRC/$state.db" -) || fail 'two copies through pipes'
        cmp <(copy "$SRC/$state.db" -) "$T/dest/$state.db" || fail 'a pipe and a file'
done
hold_state live-wal "$SRC/live.db"
exits 0 copy "$SRC/live.db" "$T/dest/live.db"

# A copy that does not pass its check gets no name, nor goes into a pipe.
make_state closed-delete "$SRC/bad.db"
"$PYTHON" - "$SRC/bad.db" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(3 * 4096 + 200)
    file.write(b"\xa5" * 3000)
EOF
exits 1 copy --verify "$SRC/bad.db" "$T/dest/old.db"
said "$SRC/bad.db: does not pass integrity_check"
untouched
exits 1 copy --verify "$SRC/bad.db" -
[ ! -s "$T/out" ] || fail 'a bad database was written to standard output'
exits 0 copy "$SRC/bad.db" "$T/dest/bad.db"

# What is no database, is locked, or is not there.
echo text >"$SRC/text"
exits 3 copy "$SRC/text" "$T/dest/old.db"
said "$SRC/text: is no SQLite database"
exits 3 copy "$SRC/absent" "$T/dest/old.db"
make_state truncated "$SRC/short.db"
exits 3 copy "$SRC/short.db" "$T/dest/old.db"
said "$SRC/short.db"
hold_state live-exclusive-off "$SRC/locked.db"
touch "$SRC/locked.db"
exits 4 copy --busy-timeout=200 "$SRC/locked.db" "$T/dest/old.db"
said "$SRC/locked.db: busy"
untouched
exits 0 copy --accept-quiet=1 --busy-timeout=60000 "$SRC/locked.db" "$T/dest/locked.db"

# What is not replaced: a database in use, one with a WAL, itself, no regular file, a directory; a symlink is followed.
hold_state live-delete "$T/dest/used.db"
exits 4 copy "$SRC/closed-wal.db" "$T/dest/used.db"
said "used.db: in use by process $HOLDER"
make_state crash-wal "$T/dest/crashed.db"
exits 3 copy "$SRC/closed-wal.db" "$T/dest/crashed.db"
said '-wal lies beside it'
exits 3 copy "$SRC/closed-wal.db" "$SRC/../source/closed-wal.db"
said 'is the database itself'
mkfifo "$T/dest/fifo"
exits 3 copy "$SRC/closed-wal.db" "$T/dest/fifo"
exits 3 copy "$SRC/closed-wal.db" "$T/dest/"
exits 3 copy "$SRC/closed-wal.db" "$T/dest"
exits 3 copy "$SRC/closed-wal.db" "$T/dest/none/x.db"
ln -s old.db "$T/dest/link.db"
cp "$T/dest/old.db" "$T/dest/kept"
exits 0 copy "$SRC/closed-wal.db" "$T/dest/link.db"
[ -L "$T/dest/link.db" ] || fail 'a symlink was replaced'
cmp <(copy "$SRC/closed-wal.db" -) "$T/dest/old.db" || fail 'the copy is not behind the symlink'
mv "$T/dest/kept" "$T/dest/old.db"

# A signal, or an error, in the midst of it.
sql "$SRC/large.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(30000000))'
if command -v strace >/dev/null && is_plain; then
        for signal in TERM INT; do
                exits $((128 + $(kill -l $signal))) strace -qq -f -o "$T/trace" -e trace=pwrite64 -e inject=pwrite64:signal=$signal:when=3 \
                        "$LITESNAP" copy --snapshot-dir="$SNAP" "$SRC/large.db" "$T/dest/old.db"
                untouched
        done
        exits 3 strace -qq -f -o "$T/trace" -e trace=fsync -e inject=fsync:error=EIO:when=1 \
                "$LITESNAP" copy --snapshot-dir="$SNAP" "$SRC/large.db" "$T/dest/old.db"
        said "$T/dest/old.db: cannot be written: Input/output error"
        untouched
        # The bytes are on disk before the name is, and the name before it is done.
        exits 0 strace -qq -f -o "$T/trace" -e trace=fsync,renameat,renameat2,pwrite64 \
                "$LITESNAP" copy --snapshot-dir="$SNAP" "$SRC/large.db" "$T/dest/large.db"
        equal "$(grep -oE 'fsync|renameat|pwrite64' "$T/trace" | uniq | tail -4 | tr '\n' ' ')" 'pwrite64 fsync renameat fsync ' 'the order'
fi
# A full disk.
if is_root; then
        mkdir "$T/small"
        mount -t tmpfs -o size=8M,mode=755 none "$T/small"
        MOUNTS+=("$T/small")
        echo old >"$T/small/old.db"
        exits 5 copy "$SRC/large.db" "$T/small/old.db"
        said "$T/small/old.db: cannot be written: No space left on device"
        equal "$(cat "$T/small/old.db")" old 'DEST on a full disk'
        no_drafts "$T/small"
        umount "$T/small"
fi
to_full() {
        copy "$1" - >/dev/full
}
exits 5 to_full "$SRC/large.db"
said 'cannot be written to standard output: No space left'
# Progress is for terminals, and a database is not.
exits 0 script -qec "'$LITESNAP' copy --snapshot-dir='$SNAP' '$SRC/large.db' '$T/dest/large.db' 2>&1" "$T/typescript"
grep -q '100 %  28.6 MiB of 28.6 MiB .*/s  0:00 left' "$T/typescript" || fail "no progress on a terminal: $(cat "$T/typescript")"
exits 2 script -qec "'$LITESNAP' copy --snapshot-dir='$SNAP' '$SRC/large.db' -" "$T/typescript"
[ ! -s "$T/err" ] || fail 'script complains'
exits 0 copy "$SRC/large.db" "$T/dest/large.db"
equal "$(cat "$T/err" "$T/out")" '' 'what a copy says that goes well'
no_drafts "$T"
