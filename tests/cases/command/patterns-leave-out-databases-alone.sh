#!/usr/bin/env bash
# rsync, borg and restic, given the patterns that list prints for them, leave out every database and its side files, and nothing else,
# whatever their names.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

# shellcheck disable=SC2016 # a name
names=(plain 'a b' 'wild*card' 'q?' '[set]' 'back\slash' 'both\*' '#hash' '!bang' '$HOME' '- x' ' lead' 'trail ' $'new\nline' 'ü')
mkdir "$SRC/sub"
for name in "${names[@]}"; do
        for dir in "$SRC" "$SRC/sub"; do
                make_state pages-512 "$dir/$name"
                : >"$dir/$name-wal"
                # Names that a pattern taken too widely would match.
                echo file >"$dir/$name.txt"
                echo file >"$dir/x$name"
        done
done
echo file >"$SRC/wildcatcard"
echo file >"$SRC/s"
echo file >"$SRC/sub/both\\no"
(cd "$SRC" && find . -type f ! -name '*.txt' ! -name 'x*' ! -name wildcatcard ! -name s ! -name 'both\\no' -printf x | wc -c) >"$T/databases"
equal "$(cat "$T/databases")" $((${#names[@]} * 4)) 'databases and side files'
(cd "$SRC" && find . -type f \( -name '*.txt' -o -name 'x*' -o -name wildcatcard -o -name s -o -name 'both\\no' \) -print0 | sort -z) >"$T/wanted"

# the_rest DIR: what came into DIR is all the other files.
the_rest() {
        (cd "$1" && find . -type f -print0 | sort -z) | cmp "$T/wanted" - || {
                diff <(tr '\0' '\n' <"$T/wanted") <(cd "$1" && find . -type f | sort) >&2 || true
                fail "$2 took other files"
        }
}

exits 0 litesnap list --exclude-from=rsync "$SRC"
cp "$T/out" "$T/rsync.patterns"
rsync -a --exclude-from="$T/rsync.patterns" "$SRC/" "$T/rsync/"
the_rest "$T/rsync" rsync

export BORG_BASE_DIR=$T/borg.base RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
exits 0 litesnap list --exclude-from=borg "$SRC"
cp "$T/out" "$T/borg.patterns"
borg init -e none "$T/borg.repo" 2>/dev/null
borg create --exclude-from "$T/borg.patterns" "$T/borg.repo::a" "$SRC"
mkdir "$T/borg"
(cd "$T/borg" && borg extract "$T/borg.repo::a")
the_rest "$T/borg$SRC" borg

exits 0 litesnap list --exclude-from=restic "$SRC/"
cp "$T/out" "$T/restic.patterns"
restic -q -r "$T/restic.repo" --no-cache init >/dev/null
restic -q -r "$T/restic.repo" --no-cache backup --exclude-file "$T/restic.patterns" "$SRC"
restic -q -r "$T/restic.repo" --no-cache restore latest --target "$T/restic" >/dev/null
the_rest "$T/restic$SRC" restic

exits 2 litesnap list --exclude-from=tar "$SRC"
