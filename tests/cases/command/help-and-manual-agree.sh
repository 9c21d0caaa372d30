#!/usr/bin/env bash
# litesnap --help and its manual page name the same options and exit statuses, every option that is taken is named, and mandoc finds
# nothing wrong with the page.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

page=$CASES/../../snapshot/command/litesnap.1
exits 0 litesnap --help
cp "$T/out" "$T/help"
[ ! -s "$T/err" ] || fail 'help on stderr'
for command in list copy check restore status; do
        exits 0 litesnap $command --help
        cmp "$T/out" "$T/help" || fail "litesnap $command --help"
        grep -q "^  $command " "$T/help" || fail "--help does not tell of $command"
done
exits 0 litesnap -V
grep -Eq '^litesnap [0-9]+\.[0-9]+\.[0-9]+$' "$T/out" || fail "-V said: $(cat "$T/out")"

options() {
        grep -oE -- '(^|[^a-z-])--[a-z][a-z-]*' | grep -oE -- '--.*' | sort -u
}
options <"$T/help" >"$T/helped"
sed -n 's/^ *{ "\([a-z-]*\)", [a-z]*_argument,.*/--\1/p' "$CASES/../../snapshot/command/main.c" | sort -u >"$T/taken"
diff "$T/taken" "$T/helped" || fail '--help and the options that are taken'
sed -n 's/^\.It.* Fl \\-\([a-z-]*\).*/--\1/p' "$page" | sort -u >"$T/described"
diff "$T/taken" "$T/described" || fail 'the manual and the options that are taken'
equal "$(sed -n '/^\.Sh EXIT/,/^\.El/s/^\.It //p' "$page" | tr '\n' ' ')" '0 1 2 3 4 5 6 ' 'exit statuses of the manual'
for status in 0 1 2 3 4 5 6; do
        tail -2 "$T/help" | grep -qE "(^|[ :])$status [a-z]" || fail "--help does not tell of status $status"
done

exits 2 litesnap
said 'name a command'
exits 2 litesnap frobnicate
said "no command 'frobnicate'"
exits 2 litesnap list --frobnicate "$SRC"
exits 2 litesnap copy "$SRC/a"
said 'usage: litesnap copy'
exits 2 litesnap copy --busy-timeout=x "$SRC/a" "$SRC/b"

command -v mandoc >/dev/null || skip 'no mandoc: the page itself was not looked at'
mandoc -T lint -W warning "$page" || fail 'mandoc complains'
equal "$(mandoc -T ascii "$page" | col -b | grep -c '^EXAMPLES')" 1 'EXAMPLES'
