#!/usr/bin/env bash
# P9: every lookup of a database that has been opened makes a node of its own (fact F1), and many a look at a name that comes and
# goes another; when the kernel forgets them they are gone: memory does not grow with the number of lookups.
. "$(dirname "$0")/../lib.sh"

rounds=$(scaled 20000)
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
mkdir "$SRC/dir"
mount_fs
look() {
        "$PYTHON" - "$SRC" "$MNT" "$1" <<'P'
import os, sys
source, mount, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
for i in range(rounds):
    os.stat(f"{mount}/app.db")
    with open(f"{mount}/app.db", "rb") as file:
        file.read()
    if i % 10 == 0:
        with open(f"{source}/dir/{i}", "wb"):
            pass
        os.stat(f"{mount}/dir/{i}")
        os.unlink(f"{source}/dir/{i}")
    if i % 100 == 0:
        os.listdir(f"{mount}/dir")
P
}
resident() {
        awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"
}
look $((rounds / 2))
before=$(resident)
look "$rounds"
say "RSS $before KiB, $rounds lookups later $(resident) KiB; $(descriptors) descriptors"
[ "$(descriptors)" -lt 100 ] || fail "$(descriptors) descriptors"
if is_plain; then
        [ $(($(resident) - before)) -lt 3072 ] || fail "RSS grew from $before to $(resident) KiB"
fi
unmount_fs
