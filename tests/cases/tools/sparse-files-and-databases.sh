#!/usr/bin/env bash
# SEEK_HOLE and SEEK_DATA tell the holes of an ordinary file, and lose no byte of a database; cp --sparse and tar -S store
# both kinds right, with a database that is mostly zeros (T5) among them; an ordinary file stays as sparse as it was.
. "$(dirname "$0")/../lib.sh"

truncate -s 20M "$SRC/sparse"
for at in 0 4 11; do
        dd if=/dev/urandom of="$SRC/sparse" bs=64K count=1 seek=$((at * 16)) conv=notrunc status=none
done
truncate -s 3M "$SRC/hole"
"$PYTHON" - "$SRC" "$T/go" "$T/stop" <<'P' &
import os, sqlite3, sys, time
source, ready, stop = sys.argv[1:]
keep = []
for name, journal in (("live.db", "wal"), ("rest.db", "delete")):
    writer = sqlite3.connect(f"{source}/{name}", isolation_level=None, timeout=60)
    writer.execute(f"PRAGMA journal_mode={journal}")
    writer.execute("PRAGMA wal_autocheckpoint=0")
    writer.execute("CREATE TABLE t(x)")
    writer.execute("INSERT INTO t VALUES(zeroblob(3000000)), (randomblob(100000)), (zeroblob(2000000))")
    keep.append(writer)
open(ready, "w").close()
while not os.path.exists(stop):
    time.sleep(0.02)
P
job=$!
OTHERS+=("$job")
wait_for 60 test -e "$T/go"
# A database whose file has holes: the page count is what counts.
sql "$SRC/holes.db" 'PRAGMA page_size=65536; CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(3000000)), (1)'
cp --sparse=always "$SRC/holes.db" "$T/holes.db"
mv "$T/holes.db" "$SRC/holes.db"
[ "$(stat -c %b "$SRC/holes.db")" -lt 5000 ] || skip "the file system of $T makes no holes"
mount_fs
"$PYTHON" - "$SRC" "$MNT" <<'P'
import errno, os, sys
source, mount = sys.argv[1:]
def extents(path, via):
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    answer, at = [], 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            break
        end = os.lseek(fd, at, os.SEEK_HOLE)
        assert end > at, (path, at, end)
        answer.append((at, end))
        at = end
    os.close(fd)
    return answer
for name in ("sparse", "hole"):
    assert extents(f"{source}/{name}", 0) == extents(f"{mount}/{name}", 0), name
    assert os.lstat(f"{source}/{name}").st_blocks == os.lstat(f"{mount}/{name}").st_blocks
assert len(extents(f"{mount}/sparse", 0)) == 3
for name in ("live.db", "rest.db", "holes.db"):
    with open(f"{mount}/{name}", "rb") as file:
        whole = file.read()
    left = bytearray(whole)
    for start, end in extents(f"{mount}/{name}", 0):
        left[start:end] = bytes(end - start)
    assert not any(left), f"{name}: data where SEEK_DATA tells of none"
    st = os.lstat(f"{mount}/{name}")
    assert st.st_size == len(whole) and st.st_blocks * 512 >= st.st_size, (name, st)
P
mkdir "$T/plain"
for name in sparse hole live.db rest.db holes.db; do
        cat "$MNT/$name" >"$T/plain/$name"
done
equal "$(sql "$T/plain/live.db" 'PRAGMA journal_mode=delete; SELECT count(*), sum(length(x)) FROM t' | tail -1)" "3|5100000" "the live one"
cat "$MNT/live.db" >"$T/plain/live.db"
for how in auto always never; do
        mkdir "$T/cp-$how"
        cp -a --sparse=$how "$MNT/." "$T/cp-$how"
        diff -r "$T/plain" "$T/cp-$how" || fail "cp --sparse=$how"
done
tar cSf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "tar -S: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "tar -S said $(cat "$T/said")"
mkdir "$T/tar"
tar xf "$T/out.tar" -C "$T/tar"
diff -r "$T/plain" "$T/tar" || fail "tar -S"
rsync -aS "$MNT/" "$T/rsync/"
diff -r "$T/plain" "$T/rsync" || fail "rsync -S"
for copy in cp-auto cp-always tar rsync; do
        [ "$(stat -c %b "$T/$copy/sparse")" -le "$(stat -c %b "$SRC/sparse")" ] || fail "$copy: holes were filled"
done
touch "$T/stop"
wait "$job"
unmount_fs
