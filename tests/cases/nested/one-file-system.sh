#!/usr/bin/env bash
# -o one_file_system shows what is mounted inside the source as empty directories; without it everything is there. Either
# way tools find nothing odd, and the nested file system can be unmounted with the mount in use.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib-nested.sh"

make_nested tmpfs one two
mkdir "$SRC/plain"
echo text >"$SRC/plain/file"
sql "$SRC/app.db" 'CREATE TABLE t(x)'
list() {
        (cd "$1" && find . -printf '%P\n' | sort)
}
mount_fs
equal "$(list "$MNT")" "$(list "$SRC")" "all is shown"
unmount_fs
mount_fs -o one_file_system
equal "$(list "$MNT" | tr '\n' ' ')" " app.db one plain plain/file two " "only the source's own"
equal "$(find "$MNT" -printf '%i\n' | sort | uniq -d)" "" "numbers that several names have"
refused 'No such file' cat "$MNT/one/first"
refused 'No such file' cat "$MNT/one/app.db"
tar cf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "tar: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "tar said $(cat "$T/said")"
equal "$(tar tf "$T/out.tar" | sort | tr '\n' ' ')" "./ ./app.db ./one/ ./plain/ ./plain/file ./two/ " "tar's list"
rsync -a "$MNT/" "$T/rsync/"
equal "$(list "$T/rsync" | tr '\n' ' ')" " app.db one plain plain/file two " "rsync's copy"
# rsync -x on the source itself keeps the same.
rsync -ax "$SRC/" "$T/rsync-x/"
equal "$(list "$T/rsync-x")" "$(list "$T/rsync")" "as rsync -x"
umount "$SRC/one"
still_serves
unmount_fs
unmount_nested two
