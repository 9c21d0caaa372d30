#!/usr/bin/env bash
# Fact S9: the magic alone does not make a database. What SQLite answers with NOTADB is passed through as it is, with what
# lies beside it.
. "$(dirname "$0")/../lib.sh"

"$PYTHON" - "$SRC" <<'P'
import os, random, sys
random.seed(1)
magic = b"SQLite format 3\0"
files = {
    "garbage": magic + random.randbytes(50000),
    "zeros": magic + bytes(8176),
    "odd page size": magic + b"\x10\x01\x01\x01\x00\x40\x20\x20" + bytes(4096 - 24),
    "not quite magic": b"SQLite format 4\0" + bytes(4080),
}
for name, data in files.items():
    for end in ("", "-wal"):
        with open(os.path.join(sys.argv[1], name + end), "wb") as file:
            file.write(data if not end else b"beside " + name.encode())
P
mount_fs
for file in "$SRC"/*; do
        name=${file##*/}
        if [ "${name%-wal}" = "$name" ]; then
                # SQLite itself, on a copy, so that it makes no side files of its own beside the file.
                cp "$file" "$T/copy"
                said=$(sqlite3 "$T/copy" 'SELECT * FROM sqlite_schema' 2>&1 || true)
                [[ $said = *'not a database'* ]] || fail "the test is wrong: SQLite says '$said' of $name"
        fi
        cmp "$file" "$MNT/$name" || fail "$name differs"
done
equal "$(find "$MNT" -type f -printf '%P\n' | sort)" "$(find "$SRC" -type f -printf '%P\n' | sort)" "the listing"
unmount_fs
