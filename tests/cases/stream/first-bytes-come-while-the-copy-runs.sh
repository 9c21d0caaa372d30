#!/usr/bin/env bash
# The open of a large database and a read of its first page are answered long before it is copied, and when the reader then
# leaves, the rest never is. "Long before": less than half of it has been written. On a loaded machine a round may be lost to
# the scheduler, so most of the rounds count.
# Usage: first-bytes-come-while-the-copy-runs.sh wal|delete
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" "$1" 400
mount_fs
watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
import sys
source, mount = sys.argv[1:]
application = Application(source)
early = left = 0
for number in range(1, 10):
    application.commit()
    wait_for(lambda: copies() == 0)
    before = written()
    fd = os.open(mount, os.O_RDONLY)
    page = os.pread(fd, 4096, 0)
    served = written() - before
    size = os.fstat(fd).st_size
    os.close(fd)
    wait_for(lambda: copies() == 0)
    after = written() - before
    assert page[:16] == b"SQLite format 3\0"
    assert int.from_bytes(page[60:64], "big") == number, "page 1 is of another version"
    print(f"# {size >> 20} MiB: {served >> 20} MiB written when the first page came, {after >> 20} MiB in all")
    early += served < size // 2
    left += after < size // 2
assert early >= 5, "the first page came late"
assert left >= 5, "nobody reads, but the copy was made"
P
unmount_fs
