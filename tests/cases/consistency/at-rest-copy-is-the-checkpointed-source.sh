#!/usr/bin/env bash
# P2: the bytes are those of the recovered and fully checkpointed source, bit for bit, and serving them left the source
# alone (P6). The application is still there, idle, with the last transactions in its WAL.
# Usage: at-rest-copy-is-the-checkpointed-source.sh JOURNAL-MODE [ENGINE]
. "$(dirname "$0")/../lib.sh"

journal=$1
# The last byte first, so that all else is read when it is complete, as later readers of the same snapshot do.
sha_when_complete() {
        "$PYTHON" -c 'import hashlib, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
os.pread(fd, 1, size - 1)
print(hashlib.sha256(os.pread(fd, size + 1, 0)).hexdigest())' "$1"
}
for page_size in 512 4096 65536; do
        db=$SRC/$page_size.db
        start_writer "$db" --journal "$journal" --page-size $page_size --transactions 300 --linger --writers 2 \
                --checkpoint 0 --auto-vacuum 1
        rm -rf "$T/expected"
        mkdir "$T/expected"
        cp "$db" "$T/expected/x.db"
        for side in wal journal; do
                if [ -e "$db-$side" ]; then cp "$db-$side" "$T/expected/x.db-$side"; fi
        done
        if [ "$journal" = wal ]; then
                [ -s "$db-wal" ] || fail "the WAL is empty: nothing to prove"
        fi
        # The last connection of a process that closes recovers, checkpoints and deletes the side files.
        sql "$T/expected/x.db" 'SELECT count(*) FROM first' >"$T/null"
        fingerprint "$SRC" | grep -v -- -shm >"$T/before"
        mount_fs -o engine="${2:-auto}"
        equal "$(sha "$MNT/$page_size.db")" "$(sha "$T/expected/x.db")" "sha256 with pages of $page_size"
        equal "$(sha_when_complete "$MNT/$page_size.db")" "$(sha "$T/expected/x.db")" "sha256 of the complete one"
        equal "$(stat -c %s "$MNT/$page_size.db")" "$(stat -c %s "$T/expected/x.db")" "size"
        unmount_fs
        fingerprint "$SRC" | grep -v -- -shm >"$T/after"
        diff "$T/before" "$T/after" || fail "the source changed"
        stop_writer
done
