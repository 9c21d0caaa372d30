#!/usr/bin/python3
"""time-open.py FILE: opens FILE and reads its last byte, which is there only once all of it has been copied; prints the
seconds that open() and both took."""
import os
import sys
import time

start = time.monotonic()
fd = os.open(sys.argv[1], os.O_RDONLY)
opened = time.monotonic()
size = os.fstat(fd).st_size
if len(os.pread(fd, 2, size - 1)) != 1:
    raise SystemExit(f"fstat says {size}, but that is not where it ends")
print(f"open {opened - start:.3f} s, copied after {time.monotonic() - start:.3f} s")
