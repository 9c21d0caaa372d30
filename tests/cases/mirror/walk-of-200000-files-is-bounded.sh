#!/usr/bin/env bash
# P9: a walk over 200,000 files, with everything read, leaves memory under 64 MiB, and needs no more than 256 descriptors
# even when the walk keeps all its inodes in the kernel's cache.
. "$(dirname "$0")/../lib.sh"

count=$(scaled 200000)
"$PYTHON" - "$SRC" "$count" <<'P'
import os, sys
os.chdir(sys.argv[1])
for i in range(int(sys.argv[2])):
    if i % 200 == 0:
        d = f"d{i // 20000}/e{i // 200}"
        os.makedirs(d)
    fd = os.open(f"{d}/f{i}", os.O_CREAT | os.O_WRONLY)
    if i % 10 == 0:
        os.write(fd, b"some content %d\n" % i)
    os.close(fd)
P
expected=$(find "$SRC" -type f -printf '%P %s\n' | sort | sha256sum)
for limit in "$(ulimit -Hn)" 256; do
        # The hard limit: raising the soft one is allowed, depending on it is not.
        ulimit -n "$limit"
        mount_fs
        equal "$(find "$MNT" -type f -printf '%P %s\n' | sort | sha256sum)" "$expected" "names and sizes with $limit descriptors"
        tar cf - -C "$MNT" . | wc -c >"$T/null" || fail "tar failed with $limit descriptors"
        say "limit $limit: peak RSS $(peak_rss) KiB, $(descriptors) descriptors"
        [ "$(descriptors)" -le "$limit" ] || fail "$(descriptors) descriptors"
        if is_plain; then
                [ "$(peak_rss)" -lt 65536 ] || fail "peak RSS $(peak_rss) KiB with limit $limit"
        fi
        unmount_fs
done
