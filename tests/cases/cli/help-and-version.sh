#!/usr/bin/env bash
# -h tells every option and -V the version, on standard output, with status 0.
. "$(dirname "$0")/../lib.sh"

"${AS[@]}" "$LITESNAPFS" -h >"$T/help" 2>"$T/complaints" || fail "-h ended with status $?"
[ ! -s "$T/complaints" ] || fail "-h said on stderr: $(cat "$T/complaints")"
for word in SOURCE MOUNTPOINT -f -d -h -V snapshot_dir busy_timeout max_space -S COMMAND strict max_read nosymfollow; do
        grep -q -e "$word" "$T/help" || fail "-h does not mention $word"
done
diff "$T/help" <("${AS[@]}" "$LITESNAPFS" --help) || fail "--help is not -h"
"${AS[@]}" "$LITESNAPFS" -V >"$T/version" || fail "-V ended with status $?"
grep -Eq 'litesnapfs.* [0-9]+\.[0-9]+\.[0-9]+' "$T/version" || fail "-V said: $(cat "$T/version")"
diff "$T/version" <("${AS[@]}" "$LITESNAPFS" --version) || fail "--version is not -V"
