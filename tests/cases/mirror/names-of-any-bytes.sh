#!/usr/bin/env bash
# P8: every name that Linux allows is there, byte for byte, and opens; a name that is not there is ENOENT.
. "$(dirname "$0")/../lib.sh"

"$PYTHON" - "$SRC" <<'P'
import os, sys
root = os.fsencode(sys.argv[1])
names = [bytes([b]) for b in range(1, 256) if b not in b"./"]
names += [b"a" * 255, b"\xff" * 255, b"...", b" ", b"-", b"-rf", b"new\nline", b"\xc3\x28 not UTF-8", b"tab\t", b"a\\b",
          "übergrößenträger".encode(), "日本語".encode(), b"*?[]{}$`'\""]
for name in names:
    with open(os.path.join(root, name), "wb") as file:
        file.write(b"I am " + name)
deep = os.path.join(root, b"deep")
for i in range(40):
    os.mkdir(deep)
    deep = os.path.join(deep, b"\xfe" * 60)
P
mount_fs
"$PYTHON" - "$SRC" "$MNT" <<'P'
import os, sys
source, mount = map(os.fsencode, sys.argv[1:])
def walk(root):
    return sorted(os.path.relpath(os.path.join(d, n), root) for d, ds, fs in os.walk(root) for n in ds + fs)
assert walk(source) == walk(mount), set(walk(source)) ^ set(walk(mount))
for name in os.listdir(mount):
    path = os.path.join(mount, name)
    if os.path.isfile(path):
        assert open(path, "rb").read() == b"I am " + name, name
for name in (b"gone", b"a" * 254, b"\xc3"[:0] + b"\xc3\x29"):
    try:
        os.lstat(os.path.join(mount, name))
        raise SystemExit(f"{name!r} is there")
    except FileNotFoundError:
        pass
P
unmount_fs
