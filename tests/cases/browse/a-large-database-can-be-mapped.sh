#!/usr/bin/env bash
# A large database whose reads go past the page cache can be mapped all the same, shared and private, and shows the same bytes;
# so sqlite3 can use it with mmap_size.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../stream/lib.sh"

make_large "$SRC/big.db" wal 20
for options in passthrough=auto passthrough=off; do
        mount_fs -o "$options"
        watch_copies "$SRC/big.db" "$MNT/big.db" <<'P'
from watch_copies import *
import mmap
import sys
source, mount = sys.argv[1:]
application = Application(source)
for number in range(5):
    application.commit(3)
    truth = application.truth()
    fd = os.open(mount, os.O_RDONLY)
    maps = [mmap.mmap(fd, 0, flags, mmap.PROT_READ) for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]
    application.commit(2)
    for mapped in maps:
        assert mapped[:] == truth, "what is mapped is not the state of the open"
    assert os.pread(fd, len(truth) + 1, 0) == truth, "what is read is not the state of the open"
    for mapped in maps:
        mapped.close()
    os.close(fd)
P
        equal "$(sql "$MNT/big.db" 'PRAGMA mmap_size=1000000000; PRAGMA integrity_check')" $'1000000000\nok' 'sqlite3, mapped'
        unmount_fs
done
