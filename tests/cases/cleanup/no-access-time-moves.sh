#!/usr/bin/env bash
# Promise 6: reading through the mount moves no access time in the source: of files, databases, directories and symlinks, of its own and
# of a nested file system, whether the kernel reads files by itself or not.
. "$(dirname "$0")/../lib.sh"

need_root 'O_NOATIME is for owners; for symlinks there is nothing'
mkdir "$SRC/nested"
mount -t tmpfs -o strictatime tmpfs "$SRC/nested"
things() { # DIRECTORY
        mkdir "$1/dir"
        seq 1 2000 >"$1/dir/file"
        echo short >"$1/dir/short"
        ln -s dir/file "$1/link"
        sql "$1/app.db" 'CREATE TABLE t(x)'
}
things "$SRC"
things "$SRC/nested"
findmnt -no OPTIONS -T "$SRC" | grep -q noatime && say 'the file system of the source has noatime: half a test'
NAMES=({,nested/}{dir,dir/file,dir/short,link,app.db})
# By their names: a list of a directory would move its time.
listed() {
        (cd "$SRC" && stat -c '%n %x %z' "${NAMES[@]}")
}
old() {
        (cd "$SRC" && touch -h -a -d '2020-01-01 12:00' "${NAMES[@]}")
}
for options in passthrough=auto passthrough=off; do
        mount_fs -o "$options"
        old
        listed >"$T/before"
        find "$MNT" -type l -exec readlink {} + >"$T/links"
        equal "$(sort -u "$T/links")" dir/file 'what the links say'
        find "$MNT" -type f -exec cat {} + | wc -c >"$T/null"
        find "$MNT" -ls | wc -l >"$T/null"
        listed >"$T/after"
        diff "$T/before" "$T/after" || fail "with $options times in the source have moved"
        unmount_fs
done
# The judge judges: what is read in the source itself moves.
old
listed >"$T/before"
readlink "$SRC/nested/link" >"$T/null"
listed >"$T/after"
if cmp -s "$T/before" "$T/after"; then fail 'this case sees nothing'; fi
umount "$SRC/nested"
