#!/usr/bin/env bash
# user.litesnapfs.* of a mounted database tell when its state was the current one, how it was copied, its pages and page
# size, its journal mode, and which state it is, so that two copies can be told apart. Not listed; not there on other files.
. "$(dirname "$0")/../lib.sh"

mkdir "$SRC/dir"
echo text >"$SRC/file"
sql "$SRC/delete.db" 'PRAGMA page_size=1024; CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(10000))'
"$TORTURE_WRITER" --db "$SRC/wal.db" --record "$T/record" --transactions 20 --keep-wal --checkpoint 0 --journal wal >"$T/null"
over() {
        [ "$(date +%s)" -gt $(($(stat -c %Y "$SRC/wal.db-wal") + 1)) ]
}
wait_for 60 over
# Every open is to make its own snapshot.
mount_fs -o linger=0
own() {
        getfattr --only-values --absolute-names -n "user.litesnapfs.$2" "$1"
}
facts=(taken engine pages page_size journal_mode source_state)
for name in delete wal; do
        db=$MNT/$name.db
        for state in closed open; do
                exec 4</dev/null
                path=$db
                if [ $state = open ]; then
                        exec 4<"$db"
                        path=/proc/self/fd/4
                        case $(own "$path" engine) in
                        view | copy | reflink | private) ;;
                        *) fail "engine of an open database: $(own "$path" engine)" ;;
                        esac
                fi
                for fact in "${facts[@]}"; do
                        [ -n "$(own "$path" "$fact")" ] || fail "$fact of $name.db ($state) is empty"
                done
                equal "$(($(own "$path" pages) * $(own "$path" page_size)))" "$(stat -Lc %s "$path")" "$name.db, $state: pages * page_size"
                taken=$(own "$path" taken)
                [[ $taken =~ ^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-9:.]+Z$ ]] || fail "taken: $taken"
                age=$(($(date +%s) - $(date -d "$taken" +%s)))
                [[ $age -ge 0 && $age -le 1200 ]] || fail "taken $age seconds ago"
                ! getfattr -d -m - "$path" 2>/dev/null | grep user.litesnapfs || fail "listed"
        done
done
exec 4</dev/null
equal "$(own "$MNT/delete.db" page_size) $(own "$MNT/delete.db" journal_mode)" "1024 rollback" "delete.db"
equal "$(own "$MNT/wal.db" journal_mode)" wal "wal.db"
for other in file dir .; do
        refused 'No such attribute' getfattr -n user.litesnapfs.taken "$MNT/$other"
done
refused 'No such attribute' getfattr -n user.litesnapfs.colour "$MNT/wal.db"

# Two states of one database: the open one keeps its own, a later one has another, an unchanged one the same.
for name in delete wal; do
        db=$MNT/$name.db
        exec 4<"$db"
        first=$(own /proc/self/fd/4 source_state)
        taken=$(own /proc/self/fd/4 taken)
        exec 5<"$db"
        equal "$(own /proc/self/fd/5 source_state)" "$first" "$name.db: two opens of one state"
        closed=$(own "$db" source_state)
        equal "$(own "$db" source_state)" "$closed" "$name.db: two looks at one state"
        exec 5<&-
        sql "$SRC/$name.db" 'CREATE TABLE IF NOT EXISTS t(x); BEGIN; INSERT INTO t VALUES(1); COMMIT'
        exec 5<"$db"
        [ "$(own /proc/self/fd/5 source_state)" != "$first" ] || fail "$name.db: two states, one source_state"
        [ "$(own "$db" source_state)" != "$closed" ] || fail "$name.db: a commit does not show in source_state"
        equal "$(own /proc/self/fd/4 source_state) $(own /proc/self/fd/4 taken)" "$first $taken" "$name.db: the one that was open"
        [[ $(own /proc/self/fd/5 taken) > $taken ]] || fail "$name.db: taken goes backwards"
        exec 4<&- 5<&-
done
mkdir "$T/cp"
cp -a "$MNT/." "$T/cp/"
rsync -aX "$MNT/" "$T/rsync/"
! getfattr -R -d -m - "$T/cp" "$T/rsync" 2>/dev/null | grep user.litesnapfs || fail "copied"
unmount_fs
