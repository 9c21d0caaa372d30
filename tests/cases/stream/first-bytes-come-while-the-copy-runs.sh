#!/usr/bin/env bash
# The open of a large database and a read of its first page are answered while it is copied, and when the reader then leaves, the
# rest never is. The case holds the copy at a tenth of the way until the page is there.
# Usage: first-bytes-come-while-the-copy-runs.sh wal|delete
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

make_large "$SRC/big.db" "$1" 100
paced
mount_fs
watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
from pace import Pace
import sys
source, mount = sys.argv[1:]
application = Application(source)
pace = Pace()
for number in range(1, 4):
    application.commit()
    wait_for(lambda: copies() == 0)
    before = written()
    pace.hold(10 << 20)
    fd = os.open(mount, os.O_RDONLY)
    page = os.pread(fd, 4096, 0)
    assert page[:16] == b"SQLite format 3\0"
    assert int.from_bytes(page[60:64], "big") == number, "page 1 is of another version"
    # In WAL mode the copy begins when the reader keeps the pin waiting.
    wait_for(pace.is_held)
    size = os.fstat(fd).st_size
    os.close(fd)
    pace.creep(lambda: copies() == 0)
    after = written() - before
    print(f"# {size >> 20} MiB: {after >> 20} MiB written in all")
    assert after < size // 2, "nobody reads, but the copy was made"
P
unmount_fs
