#!/usr/bin/env bash
# T4: two file systems inside the source have the same inode numbers, each with hard-linked pairs. find, du, rsync -aH, cp -a,
# tar and borg store every content right, links within a file system stay links, and databases with two names come out
# as themselves.
# Usage: equal-inode-numbers-do-not-mix.sh tmpfs|ext4
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib-nested.sh"

make_nested "$1" one two
equal "$(cd "$SRC/one" && find . -printf '%P %i\n' | sort)" "$(cd "$SRC/two" && find . -printf '%P %i\n' | sort)" \
        "inode numbers, which this case wants to be the same"
echo "outside" >"$SRC/outside"
ln "$SRC/outside" "$SRC/outside too"
# Of the application's last second nothing is to be told coarsely.
over() {
        [ "$(date +%s)" -gt $(($(stat -c %Y "$SRC/two/app.db") + 1)) ]
}
wait_for 60 over
mount_fs
equal "$(find "$MNT" -printf '%i\n' | sort | uniq -d | grep -c . || true)" \
        "$(($(find "$SRC" -xdev -links +1 -type f | grep -c .) / 2 + 2 * 3))" "inode numbers that several names have"
"$PYTHON" - "$MNT" <<'P'
import collections, os, sys
names = collections.defaultdict(list)
for at, directories, files in os.walk(sys.argv[1]):
    names[os.lstat(at).st_ino].append(at)
    for file in files:
        names[os.lstat(os.path.join(at, file)).st_ino].append(os.path.join(at, file))
for inode, same in names.items():
    kinds = {name.split(sys.argv[1])[1].split("/")[1] if name != sys.argv[1] else "" for name in same}
    assert len({kind.split(" ")[0] for kind in kinds}) == 1, f"{inode} is the number of {same}"
    assert len(same) == 1 or not os.path.isdir(same[0]), f"{same} are one directory"
P
# Both find all names: a nested root with an ancestor's number would be skipped, with a word on stderr.
equal "$(find "$MNT" 2>&1 | sed "s|$MNT||" | sort)" "$(find "$SRC" | sed "s|$SRC||" | sort)" "find"
du -a "$MNT" >"$T/du" 2>"$T/said" || fail "du: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "du said $(cat "$T/said")"

check() {
        local copy=$1 name
        for name in one two; do
                equal "$(cat "$copy/$name/first" "$copy/$name/dir/second" "$copy/$name/third" "$copy/$name/dir/fourth")" \
                        "$(printf '%s\n' "pair of $name" "pair of $name" "other pair of $name" "other pair of $name")" "$copy: $name"
                for db in app.db dir/also.db; do
                        equal "$(sql "$copy/$name/$db" 'SELECT x FROM t')" "$name" "$copy: $name/$db"
                done
                equal "$(stat -c '%h %i' "$copy/$name/first")" "$(stat -c '%h %i' "$copy/$name/dir/second")" "$copy: $name's first pair"
                equal "$(stat -c '%h' "$copy/$name/first" "$copy/$name/third")" "$(printf '2\n2')" "$copy: $name's links"
        done
        equal "$(cat "$copy/outside")" outside "$copy"
        equal "$(stat -c '%i' "$copy/outside")" "$(stat -c '%i' "$copy/outside too")" "$copy: the pair outside"
}
mkdir "$T/cp" "$T/tar" "$T/borg"
rsync -aH "$MNT/" "$T/rsync/"
check "$T/rsync"
cp -a "$MNT/." "$T/cp/"
check "$T/cp"
tar cf "$T/out.tar" -C "$MNT" . 2>"$T/said" || fail "tar: $(cat "$T/said")"
[ ! -s "$T/said" ] || fail "tar said $(cat "$T/said")"
tar xf "$T/out.tar" -C "$T/tar"
check "$T/tar"
rsync -aHn --checksum --itemize-changes "$MNT/" "$T/tar/" >"$T/said"
[ ! -s "$T/said" ] || fail "rsync tells tar's copy from the mount: $(cat "$T/said")"
if command -v borg >/dev/null; then
        export HOME=$T BORG_BASE_DIR=$T BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
        borg init --encryption=none "$T/repository"
        (cd "$MNT" && borg create "$T/repository::one" .)
        (cd "$T/borg" && borg extract "$T/repository::one")
        check "$T/borg"
fi
unmount_fs
unmount_nested one two
