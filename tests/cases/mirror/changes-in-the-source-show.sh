#!/usr/bin/env bash
# What appears, changes, moves or goes in the source does so in the mount, without a remount: a lookup that once failed
# succeeds later, a file that grew is read whole, a file replaced by a directory is one.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo one >"$SRC/file"
mount_fs
seen() {
        [ "$(cat "$MNT/$1" 2>/dev/null)" = "$2" ]
}
listed() {
        [ "$(find "$MNT" -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')" = "$1" ]
}
refused 'No such file' cat "$MNT/later"
equal "$(cat "$MNT/file")" one "at first"
echo later >"$SRC/later"
wait_for 60 seen later later
echo 'one and two' >"$SRC/file"
wait_for 60 seen file 'one and two'
echo replaced >"$T/new" && mv "$T/new" "$SRC/file"
wait_for 60 seen file replaced
rm "$SRC/later" && mkdir "$SRC/later" && echo inside >"$SRC/later/x"
wait_for 60 seen later/x inside
mv "$SRC/dir" "$SRC/moved"
wait_for 60 listed 'file later later/x moved '
rm -r "$SRC/later" "$SRC/moved"
wait_for 60 listed 'file '
# A file that is open when it goes stays readable, as everywhere.
exec 5<"$MNT/file"
rm "$SRC/file"
equal "$(cat <&5)" replaced "an unlinked open file"
exec 5<&-
unmount_fs
