#!/usr/bin/env bash
# P8: files beyond 4 GiB are read right at every offset, at the far end too, and stay sparse in a copy.
. "$(dirname "$0")/../lib.sh"

"$PYTHON" - "$SRC" <<'P'
import os, sys
with open(os.path.join(sys.argv[1], "huge"), "wb") as file:
    for at in (0, 2**31 - 3, 2**32 - 3, 2**32 + 4096, 5 * 2**30 - 8):
        file.seek(at)
        file.write(b"%08x" % (at & 0xffffffff))
    file.truncate(5 * 2**30 + 1)
with open(os.path.join(sys.argv[1], "hole"), "wb") as file:
    file.truncate(2**40)
with open(os.path.join(sys.argv[1], "empty"), "wb"):
    pass
P
mount_fs
"$PYTHON" - "$SRC" "$MNT" <<'P'
import os, random, sys
source, mount = sys.argv[1:]
for name in ("huge", "hole", "empty"):
    a, b = os.stat(os.path.join(source, name)), os.stat(os.path.join(mount, name))
    assert (a.st_size, a.st_blocks) == (b.st_size, b.st_blocks), (name, a, b)
random.seed(1)
with open(os.path.join(source, "huge"), "rb") as a, open(os.path.join(mount, "huge"), "rb") as b:
    size = os.fstat(b.fileno()).st_size
    ats = [0, 2**31 - 10, 2**31, 2**32 - 10, 2**32, 2**32 + 4000, 5 * 2**30 - 8, size - 1, size, size + 5]
    for at in ats + [random.randrange(size) for _ in range(50)]:
        assert os.pread(a.fileno(), 70000, at) == os.pread(b.fileno(), 70000, at), at
with open(os.path.join(mount, "hole"), "rb") as file:
    assert os.pread(file.fileno(), 100, 2**40 - 50) == bytes(50)
P
cp --sparse=always "$MNT/huge" "$T/copy"
cmp "$SRC/huge" "$T/copy"
[ "$(stat -c %b "$T/copy")" -lt 2000 ] || fail "the copy is not sparse"
unmount_fs
