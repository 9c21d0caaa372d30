#!/usr/bin/env bash
# snapcopy copies databases through snapshot/ alone, without a mount: live, crashed and closed ones, in WAL and in rollback
# mode, each byte for byte the checkpointed source. usage: snapcopy.sh PROGRAM
set -euo pipefail

snapcopy=$(realpath "$1")
dir=$(mktemp -d)
trap 'exec 3>&-; rm -rf "$dir"' EXIT
cd "$dir"
fill="create table t(a, b); with recursive n(i) as (select 1 union all select i+1 from n where i<300)
        insert into t select i, randomblob(i) from n; delete from t where a % 5 = 0;"

# same NAME: the copy of NAME.db against what SQLite makes of NAME.db and its side files.
same() {
        local name=$1 suffix
        "$snapcopy" "$name.db" "$name.copy" "$dir"
        for suffix in '' -wal -journal; do
                [ ! -e "$name.db$suffix" ] || cp "$name.db$suffix" "$name.ref$suffix"
        done
        sqlite3 "$name.ref" 'select count(*) from t; pragma wal_checkpoint(truncate);' >/dev/null
        cmp "$name.copy" "$name.ref"
        [ "$(sqlite3 "$name.copy" 'pragma integrity_check')" = ok ]
        echo "$name: the copy is the checkpointed source"
}

for mode in wal delete; do
        # An application that stays: sqlite3 reading from a pipe that is kept open.
        mkfifo "$mode.in" "$mode.out"
        sqlite3 "live-$mode.db" <"$mode.in" >"$mode.out" &
        exec 3>"$mode.in" 4<"$mode.out"
        printf 'pragma journal_mode=%s; pragma wal_autocheckpoint=0; %s\nselect 7331;\n' "$mode" "$fill" >&3
        until read -r line <&4 && [ "$line" = 7331 ]; do :; done
        [ "$mode" = delete ] || [ -s live-wal.db-wal ]
        same "live-$mode"
        exec 3>&- 4<&-
        wait
        sqlite3 "closed-$mode.db" "pragma journal_mode=$mode; $fill" >/dev/null
        same "closed-$mode"
done

if "$snapcopy" none.db none.copy "$dir" 2>none.log; then
        echo "a database that is not there was copied"
        exit 1
fi
