#!/usr/bin/env bash
# The options that litesnapfs takes, --help, the manual page and the completion of bash and zsh tell of the same options and the same values,
# and so do those of litesnap for each of its commands; mandoc finds nothing wrong with the page.
. "$(dirname "$0")/../lib.sh"

top=$CASES/../..
page=$top/fs/litesnapfs.8
completion=$top/scripts/completion

# same WHAT FILE FILE
same() {
        diff "$2" "$3" || fail "$1"
}
sorted() {
        sed '/^$/d' | sort -u
}

# ---- litesnapfs -------------------------------------------------------------------------------------------------

# The table of options; remount is in it only to be refused. Of FUSE's own one is, and has to be in --help as well.
sed -n 's/^ *FUSE_OPT_KEY("\([^"]*\)".*/\1/p' "$top/fs/options.c" | sed 's/ $//; /^remount$/d' | sorted >"$T/taken"
[ "$(wc -l <"$T/taken")" -gt 20 ] || fail 'the table of options was not found'

"${AS[@]}" "$LITESNAPFS" --help >"$T/help"
sed -nE 's/^    (-[^ ]+( [^ ]+)*).*/\1/p' "$T/help" | sed 's/^-o \([a-z_]*=\{0,1\}\).*/\1/; t
        s/, /\n/g' | sed 's/\(.*=\)[^ ]*/\1/; s/ .*//' | sorted >"$T/helped"
sed -n '1,/FUSE.s own/!s/^ *-o \([a-z_]*\).*/\1/p' "$T/help" | sorted >"$T/of-fuse"
[ -s "$T/of-fuse" ] || fail "--help does not tell of FUSE's own options"
cat "$T/taken" "$T/of-fuse" | sorted >"$T/all"
same '--help and the options that are taken' "$T/all" "$T/helped"

sed -n '/^\.Sh OPTIONS/,/^\.Sh THE/s/^\.It Fl //p' "$page" | sed 's/ , Fl /\n/g' |
        sed 's/^o Cm //; t mark; s/^\\-\([a-z]\)/-\1/; s/^/-/; :mark; s/ Ns = Ns .*/=/; s/ .*//' | sorted >"$T/described"
same 'the manual and the options that are taken' "$T/all" "$T/described"

# The values that are words.
sed -n '/^static int on_/,/^}/p' "$top/fs/options.c" | awk -F'"' '
        /^static int on_/ { name = $0; sub(/^static int on_/, "", name); sub(/\(.*/, "", name); inside = 0 }
        /const words\[\]/ { inside = 1 }
        inside { for (i = 2; i <= NF; i += 2) print name "=" $i }
        /};/ { inside = 0 }' | sorted >"$T/values"
equal "$(cut -d= -f1 "$T/values" | uniq | tr '\n' ' ')" 'engine passthrough racy strict ' 'options whose values are words'
while IFS='=' read -r option value; do
        sed -n "/^\.It Fl o Cm $option /,/^\.It Fl/p" "$page" | grep -Eq "^(\.It Cm|\.Cm) $value( |$)" ||
                fail "the manual does not tell of $option=$value"
        awk -v option="-o $option=" '/^    -/ { inside = index($0, option) } inside' "$T/help" | grep -q "\b$value\b" ||
                fail "--help does not tell of $option=$value"
done <"$T/values"
for text in "$page" "$T/help"; do
        for quantity in 1.5G 10GB 10g; do
                grep -q "\b$quantity\b" "$text" || fail "$text does not tell of $quantity"
        done
done

# The attributes that the page names are those that there are.
sed -n 's/.*strcmp(name, "\([a-z_]*\)").*/\1/p' "$top/snapshot/facts.c" | sorted >"$T/wanted"
sed -n 's/^\.It Cm user\.litesnapfs\.//p' "$page" | sorted >"$T/described"
same 'the attributes in the manual' "$T/wanted" "$T/described"

# ---- what bash completes -------------------------------------------------------------------------------------------

# completed WORD...: what is offered in the place of the last word.
completed() {
        bash -c '
                compopt() { :; }
                . "$1"
                shift
                program=$1
                COMP_WORDS=("$@")
                COMP_CWORD=$(($# - 1))
                COMP_WORDBREAKS=$'"' \\t\\n\"\\'><=;|&(:'"'
                "_$program" "$program" "${!#}"
                printf "%s\n" "${COMPREPLY[@]}"
        ' bash "$completion/$1.bash" "$@" | sorted
}
{
        completed litesnapfs -o ''
        completed litesnapfs - | sed '/^-o$/d; /^--$/d'
} | sorted >"$T/completed"
same 'bash completes other options than are taken' "$T/all" "$T/completed"
for option in $(cut -d= -f1 "$T/values" | uniq); do
        grep "^$option=" "$T/values" | cut -d= -f2 >"$T/wanted"
        completed litesnapfs -o linger = "5,$option" = '' >"$T/completed"
        same "the values of $option that bash completes" "$T/wanted" "$T/completed"
done
equal "$(completed litesnapfs -o engine = a)" auto 'a value that has begun'
equal "$(completed litesnapfs -o require_locks,rac)" require_locks,racy= 'an option behind another'
mkdir "$SRC/some where"
cd "$SRC"
echo >file
equal "$(completed litesnapfs s)" 'some where' 'a directory'
equal "$(completed litesnapfs -o snapshot_dir = s)" 'some where' 'the directory for snapshots'
equal "$(completed litesnapfs -S s)" 'some where' 'a source'
equal "$(completed litesnapfs --source = s)" 'some where' 'a source, in the long form'
equal "$(completed litesnapfs source -- sh f)" file 'what the command takes'

# ---- litesnap ------------------------------------------------------------------------------------------------------

main=$top/snapshot/command/main.c
tr '\n' ' ' <"$main" | grep -oE '\{ "[a-z]+", "[^"]*", "[^"]*", "[A-Za-z]+"' |
        sed 's/^{ "\([a-z]*\)".*"\([A-Za-z]*\)"$/\1 \2/' >"$T/commands"
cut -d' ' -f1 "$T/commands" | sorted >"$T/wanted"
completed litesnap '' | sed '/^-/d' >"$T/completed"
same 'the commands of litesnap that bash completes' "$T/wanted" "$T/completed"
while read -r command letters; do
        sed -n 's/^ *{ "\([a-z-]*\)", \([a-z]*\)_argument, NULL, .\(.\).*/\1 \2 \3/p' "$main" |
                while read -r name argument letter; do
                        [[ hV$letters = *$letter* ]] || continue
                        [ "$argument" = no ] && echo "--$name" || echo "--$name="
                        # getopt's short options; the other letters are names inside the program.
                        [[ xjfnhV != *$letter* ]] || printf '%s\n' "-$letter"
                done | sorted >"$T/wanted"
        completed litesnap "$command" - >"$T/completed"
        same "the options of litesnap $command that bash completes" "$T/wanted" "$T/completed"
done <"$T/commands"
equal "$(completed litesnap list --exclude-from = '' | tr '\n' ' ')" 'borg restic rsync ' 'tools'
for tool in borg restic rsync; do
        grep -q "static const char \*const tools\[\] =.*\"$tool\"" "$top/snapshot/command/list.c" || fail "litesnap knows no $tool"
done

# ---- what zsh completes ----------------------------------------------------------------------------------------------

{
        sed -n "s/^ *'\([a-z_]*\)\[[^]]*\]:.*/\1=/p; s/^ *'\([a-z_]*\)\[[^]]*\]'.*/\1/p" "$completion/_litesnapfs"
        sed -n "s/^ *'\(-[a-z]\)\[.*/\1/p; s/^ *'[^']*'{\([^}]*\)}.*/\1/p" "$completion/_litesnapfs" | tr , '\n'
} | sorted >"$T/completed"
same 'zsh completes other options than are taken' "$T/all" "$T/completed"
sed -n "s/^ *'\([a-z_]*\)\[.*:(\([a-z ]*\))'.*/\1 \2/p" "$completion/_litesnapfs" | while read -r option values; do
        printf '%s\n' "$values" | tr ' ' '\n' | sed "s/^/$option=/"
done | sorted >"$T/completed"
same 'zsh completes other values than are taken' "$T/values" "$T/completed"
while read -r command letters; do
        sed -n 's/^ *{ "\([a-z-]*\)", [a-z]*_argument, NULL, .\(.\).*/\1 \2/p' "$main" | while read -r name letter; do
                [[ $letters != *$letter* ]] || echo "--$name"
        done | sorted >"$T/wanted"
        sed -n "/^        $command) options=/,/;;/p" "$completion/_litesnap" >"$T/specs"
        ! grep -qF "\$room" "$T/specs" || sed -n '/^        room=/,/^        )/p' "$completion/_litesnap" >>"$T/specs"
        grep -oE -- '--[a-z-]+' "$T/specs" | sorted >"$T/completed"
        same "the options of litesnap $command that zsh completes" "$T/wanted" "$T/completed"
done <"$T/commands"

command -v zsh >/dev/null || skip 'no zsh: its completion was not run'
for program in litesnapfs litesnap; do
        zsh -n "$completion/_$program" || fail "zsh does not take _$program"
done
command -v mandoc >/dev/null || skip 'no mandoc: the page itself was not looked at'
mandoc -T lint -W warning "$page" || fail 'mandoc complains'
for section in EXAMPLES FILES ENVIRONMENT 'EXIT STATUS' 'EXTENDED ATTRIBUTES' DIAGNOSTICS; do
        equal "$(mandoc -T ascii "$page" | col -b | grep -c "^$section$")" 1 "the manual's section $section"
done
