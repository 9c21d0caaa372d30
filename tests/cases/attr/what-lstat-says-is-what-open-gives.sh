#!/usr/bin/env bash
# P3: with nothing committed in between, lstat before open, fstat after, fstat at the end and the next mount's lstat
# agree in every attribute; size is the number of bytes read; the inode is the source's; one link, even if the source
# has two; blocks that no tool takes for a hole.
. "$(dirname "$0")/../lib.sh"

start_writer "$SRC/live-wal.db" --journal wal --transactions 40 --linger --checkpoint 0 --size 300K
live=$WRITER
OTHERS+=("$live")
WRITER=
for journal in wal delete persist; do
        "$TORTURE_WRITER" --db "$SRC/closed-$journal.db" --record "$T/record.$journal" --transactions 40 --journal $journal \
                --page-size 1024 >"$T/null"
done
"$TORTURE_WRITER" --db "$SRC/left-wal.db" --record "$T/record.left" --transactions 40 --keep-wal --checkpoint 0 >"$T/null"
ln "$SRC/closed-delete.db" "$SRC/second-name.db"
: >"$SRC/empty.db"
# Times in the current second may be told differently once it is over; that is not the claim here.
touch "$T/now"
over() {
        [ "$(date +%s)" -gt $(($(stat -c %Y "$T/now") + 1)) ]
}
wait_for 60 over
for mounting in first second; do
        mount_fs
        "$PYTHON" - "$SRC" "$MNT" >"$T/$mounting" <<'P'
import os, sys
source, mount = sys.argv[1:]
FIELDS = "st_size st_mtime_ns st_ctime_ns st_ino st_nlink st_blocks st_mode st_uid st_gid".split()
def pick(st):
    return {field: getattr(st, field) for field in FIELDS}
for name in sorted(os.listdir(mount)):
    path = os.path.join(mount, name)
    before = pick(os.lstat(path))
    listed = next(pick(entry.stat(follow_symlinks=False)) for entry in os.scandir(mount) if entry.name == name)
    fd = os.open(path, os.O_RDONLY)
    opened = pick(os.fstat(fd))
    count = 0
    while data := os.read(fd, 50000):
        count += len(data)
    closing = pick(os.fstat(fd))
    os.close(fd)
    after = pick(os.lstat(path))
    for what, other in (("scandir", listed), ("fstat at open", opened), ("fstat at close", closing), ("lstat after", after)):
        assert other == before, f"{name}: lstat {before} but {what} {other}"
    assert count == before["st_size"], f"{name}: {before['st_size']} by lstat, {count} by read"
    assert before["st_ino"] == os.lstat(os.path.join(source, name)).st_ino, name
    assert before["st_nlink"] == 1, name
    assert before["st_blocks"] * 512 >= before["st_size"], name
    assert before["st_mode"] == os.lstat(os.path.join(source, name)).st_mode
    print(name, before)
P
        unmount_fs
done
diff "$T/first" "$T/second" || fail "the second mount says otherwise"
[ "$(wc -l <"$T/first")" -ge 6 ] || fail "names are missing: $(cat "$T/first")"
kill "$live"
wait "$live"
