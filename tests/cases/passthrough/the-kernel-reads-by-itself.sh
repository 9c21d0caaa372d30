#!/usr/bin/env bash
# With passthrough the kernel reads ordinary files and finished snapshots without asking the daemon; with passthrough=off it asks,
# and the bytes are the same; a snapshot that is opened while it is still being copied, and again when it is finished, is right
# both times; and the access times in the source stay (P6).
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../stream/lib.sh"

need_root 'passthrough is for root'
[ "$(printf '%s\n' 6.9 "$(uname -r)" | sort -V | head -1)" = 6.9 ] || skip 'passthrough needs Linux 6.9'
mount -t tmpfs -o strictatime none "$SRC" 2>"$T/null" || skip 'no tmpfs here'
make_large "$SRC/app.db" wal 60
head -c 5000000 /dev/urandom >"$SRC/file"
truncate -s 10M "$SRC/sparse"
printf x | dd of="$SRC/sparse" bs=1 seek=7000000 conv=notrunc status=none
: >"$SRC/empty"
truth=$(sha "$SRC/file")
times() {
        stat -c '%n %x %y %z' "$SRC"/file "$SRC"/sparse
}

reads() {
        grep -c 'opcode: READ (' "$LOG" || true
}

# -d: the daemon tells of every request.
for passthrough in auto off; do
        : >"$LOG"
        mount_fs -d -o "passthrough=$passthrough,linger=600"
        before=$(times)
        ls -l "$MNT" >"$T/null"
        equal "$(sha "$MNT/file")" "$truth" "an ordinary file"
        equal "$(sha "$MNT/sparse")" "$(head -c 7000000 /dev/zero | cat - <(printf x; head -c 3485759 /dev/zero) | sha256sum |
                cut -d' ' -f1)" "a sparse file"
        equal "$(cat "$MNT/empty")" '' 'an empty file'
        equal "$(times)" "$before" "times in the source, passthrough=$passthrough"
        said=$(reads)
        if [ $passthrough = auto ]; then
                [ "$said" = 0 ] || fail "the daemon was asked to read ordinary files $said times"
                logged 1 'passthrough'
        else
                [ "$said" -gt 10 ] || fail "the daemon was asked $said times only: how did the bytes come?"
        fi
        # A snapshot: read while it is copied, reopened by its descriptor when it is complete, then as a new open.
        watch_copies "$SRC/app.db" "$MNT/app.db" <<'P'
from watch_copies import *
import sys
source, mount = sys.argv[1:]
application = Application(source)
application.commit(10)
truth = application.truth()
fd = os.open(mount, os.O_RDONLY)
assert os.pread(fd, len(truth) + 1, 0) == truth
for _ in range(3):
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    assert os.pread(again, len(truth) + 1, 0) == truth
    os.close(again)
wait_for(lambda: os.getxattr(fd, "user.litesnapfs.engine") != b"view")
os.close(fd)
P
        unmount_fs
        mount_fs -d -o "passthrough=$passthrough,linger=600,engine=backup"
        : >"$LOG"
        cp "$MNT/app.db" "$T/copy"
        equal "$(sql "$T/copy" 'PRAGMA integrity_check')" ok "the copy"
        first=$(reads)
        cp "$MNT/app.db" "$T/copy2"
        cmp "$T/copy" "$T/copy2"
        second=$(($(reads) - first))
        say "passthrough=$passthrough: $said reads of ordinary files, $second of a finished snapshot"
        if [ $passthrough = auto ]; then
                [ "$second" = 0 ] || fail "the daemon was asked $second times to read a finished snapshot"
        else
                [ "$second" -gt 10 ] || fail "the daemon was asked only $second times"
        fi
        unmount_fs
done
umount "$SRC"
