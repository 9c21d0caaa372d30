#!/usr/bin/env bash
# P6: no byte, name, mode, owner or time of the source changes because it is listed, walked and read through the mount,
# whatever state its databases are in. As root and as an ordinary user.
. "$(dirname "$0")/../lib.sh"

make_sources() {
        local journal
        for journal in wal delete truncate persist; do
                "$TORTURE_WRITER" --db "$SRC/closed-$journal.db" --record "$T/record" --journal $journal --transactions 30 >"$T/null"
        done
        "$TORTURE_WRITER" --db "$SRC/left-wal.db" --record "$T/record" --transactions 30 --keep-wal --checkpoint 0 >"$T/null"
        cp "$SRC/left-wal.db" "$SRC/no-shm.db"
        cp "$SRC/left-wal.db-wal" "$SRC/no-shm.db-wal"
        rm -f "$T/ready"
        "$TORTURE_WRITER" --db "$SRC/killed-wal.db" --record "$T/record" --ready "$T/ready" >"$T/null" &
        wait_for 60 test -e "$T/ready"
        kill -KILL $!
        wait $! || true
        : >"$SRC/empty.db"
        echo text >"$SRC/text"
        mkdir "$SRC/dir"
        ln -s text "$SRC/link"
        chmod -R a+rX "$SRC"
}

is_still() {
        fingerprint "$SRC" >"$T/before"
        fingerprint "$SRC" | cmp -s - "$T/before"
}

make_sources
wait_for 60 is_still
mount_fs
find "$MNT" -ls >"$T/null"
tar cf - -C "$MNT" . | wc -c
for db in "$MNT"/*.db; do
        cp "$db" "$T/copy.db" || fail "${db##*/} could not be read"
        if [ -s "$T/copy.db" ]; then
                equal "$(sql "$T/copy.db" 'PRAGMA integrity_check; SELECT sum(balance) FROM accounts')" \
                        "$(printf 'ok\n400000')" "${db##*/}"
        fi
        rm -f "$T"/copy.db*
done
unmount_fs
fingerprint "$SRC" >"$T/after"
diff "$T/before" "$T/after" || fail "the source changed"

if is_root; then
        mount_as_user
        mount_fs
        as_user bash -c "find '$MNT' -ls; cat '$MNT'/*.db" | wc -c
        unmount_as_user
        fingerprint "$SRC" >"$T/after"
        diff "$T/before" "$T/after" || fail "the source changed while an ordinary user looked"
        # His own files, which he might change.
        chown -R 65534:65534 "$SRC"
        fingerprint "$SRC" >"$T/before"
        mount_fs
        as_user bash -c "find '$MNT' -ls; cat '$MNT'/*.db" | wc -c
        unmount_as_user
        fingerprint "$SRC" >"$T/after"
        diff "$T/before" "$T/after" || fail "the source changed while its owner looked"
fi
