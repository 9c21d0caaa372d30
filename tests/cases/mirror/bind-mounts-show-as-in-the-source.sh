#!/usr/bin/env bash
# A directory that is mounted at several places inside the source, one of them below itself, is shown at all of them, as far
# as the source goes. Walkers at two of the places do not disturb each other.
. "$(dirname "$0")/../lib.sh"

need_root "mounts"
mkdir -p "$SRC/data" "$SRC/jail/data" "$SRC/jail/host" "$SRC/other/data"
for i in $(seq 40); do
        mkdir -p "$SRC/data/$i/x/y"
        echo "$i" >"$SRC/data/$i/x/y/file"
done
sql "$SRC/data/app.db" 'CREATE TABLE t(x)'
mount --bind "$SRC/data" "$SRC/jail/data"
mount --bind "$SRC/data" "$SRC/other/data"
mount --bind "$SRC" "$SRC/jail/host"
list() {
        (cd "$1" && tar cf - . 2>"$T/said.$2" | tar tf - | sort)
}
mount_fs
equal "$(list "$MNT" mount)" "$(list "$SRC" source)" "all names"
equal "$(cat "$T/said.mount")" "$(cat "$T/said.source")" "what tar said"
equal "$(stat -c %i "$MNT/jail/host" "$MNT/data/3" "$MNT/jail/data/3" "$MNT/jail/host/data/3")" \
        "$(stat -c %i "$SRC/jail/host" "$SRC/data/3" "$SRC/jail/data/3" "$SRC/jail/host/data/3")" "inode numbers"
# shellcheck disable=SC2016 # for the inner shell
walk='set -e; for i in $(seq "$2"); do cat "$1"/*/x/y/file; find "$1" -type f -exec cat {} + >/dev/null; tar cf /dev/null -C "$1" .; done'
for where in data jail/data other/data jail/host/data; do
        start_job "walk-${where//\//-}" bash -c "$walk" walk "$MNT/$where" "$(scaled 10)"
done
for where in data jail/data other/data jail/host/data; do
        finish_job "walk-${where//\//-}" 120
        [ "$(grep -vc '^[0-9]*$' "$T/walk-${where//\//-}.out" || true)" = 0 ] ||
                fail "$where: $(grep -v '^[0-9]*$' "$T/walk-${where//\//-}.out" | head -3)"
done
# Who works in one of them holds it for two seconds and no longer.
cd "$MNT/other/data/7"
cat x/y/file >"$T/null"
cd "$T"
wait_for 20 umount "$SRC/other/data"
equal "$(find "$MNT/other" | wc -l)" "$(find "$SRC/other" | wc -l)" "when one of them is gone"
unmount_fs
umount "$SRC/jail/data" "$SRC/jail/host"
