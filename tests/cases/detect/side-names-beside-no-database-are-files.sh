#!/usr/bin/env bash
# A file whose name ends like a side file's, beside no database, is listed and read as it is; also a directory or symlink
# of such a name.
. "$(dirname "$0")/../lib.sh"

echo 'not a database' >"$SRC/text"
sql "$SRC/app.db" 'CREATE TABLE t(x)'
mkdir "$SRC/app.db-shm.d" "$SRC/lone-wal" "$SRC/dir"
for name in text-wal text-shm text-journal orphan-wal orphan-journal -wal -journal app.db-wal2 dir-wal app.db.x-wal; do
        echo "I am $name" >"$SRC/$name"
done
ln -s text "$SRC/link-wal"
mount_fs
equal "$(cd "$MNT" && find . | sort)" "$(cd "$SRC" && find . | sort)" "the listing"
for file in "$SRC"/*-wal* "$SRC"/*-shm "$SRC"/*-journal; do
        [ -f "$file" ] || continue
        cmp "$file" "$MNT/${file##*/}"
done
unmount_fs
