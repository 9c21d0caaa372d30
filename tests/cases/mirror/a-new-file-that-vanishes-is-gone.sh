#!/usr/bin/env bash
# A file that came a moment ago and goes after it was listed is not there when it is looked at: rsync then says that it has vanished
# (status 24). Told from memory that it is there, it would fail on what it asks next (status 23). And what is asked of a place whose
# file has gone is an error, as in the source, not "there is none".
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
mount_fs
"$PYTHON" - "$SRC/dir" "$MNT/dir" "$(scaled 50)" <<'PY'
import errno, os, sys
source, mount, rounds = sys.argv[1:]
for n in range(int(rounds)):
    name = f"lock{n}"
    with open(f"{source}/{name}", "w") as file:
        file.write("x" * 100)
    # The kernel's listing brings attributes along.
    assert name in os.listdir(mount)
    place = os.open(f"{mount}/{name}", os.O_PATH)
    os.listdir(mount)
    os.unlink(f"{source}/{name}")
    os.listdir(mount)
    try:
        os.lstat(f"{mount}/{name}")
        sys.exit(f"{name} is there after it has gone")
    except FileNotFoundError:
        pass
    for ask in (lambda path: os.getxattr(path, "system.posix_acl_access"), os.listxattr):
        try:
            ask(f"/proc/self/fd/{place}")
            sys.exit(f"{name}, which has gone, has attributes")
        except OSError as error:
            # What is sure to be gone.
            if error.errno not in (errno.ESTALE, errno.ENOENT):
                sys.exit(f"{name}, which has gone: {error}")
    os.close(place)
PY
unmount_fs
