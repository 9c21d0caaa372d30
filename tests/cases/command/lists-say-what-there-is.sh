#!/usr/bin/env bash
# list names each database of a tree once, whatever its name, with its state, and adds up; it follows no symlink, opens no fifo, and
# changes nothing in the tree.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

# fact DB KEY: what list --json says of it.
fact() {
        "$PYTHON" - "$T/out" "$1" "$2" <<'EOF'
import json, os, sys
for database in json.load(open(sys.argv[1]))["databases"]:
    if os.path.basename(database["path"]) == sys.argv[2]:
        print(json.dumps(database[sys.argv[3]]))
EOF
}

hold_state live-wal-undone "$SRC/live.db"
hold_state live-exclusive-delete "$SRC/locked.db"
hold_state live-exclusive-memory "$SRC/quiet.db"
hold_state live-reading "$SRC/reading.db"
# In the midst of a transaction that has begun to write: its journal looks like one that a crash has left.
make_state closed-delete "$SRC/writing.db"
"$PYTHON" - "$SRC/writing.db" "$T/writing" <<'EOF' &
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in "PRAGMA cache_size = 5", "BEGIN IMMEDIATE", "UPDATE bulk SET body = hex(randomblob(380))":
    db.execute(statement)
open(sys.argv[2], "w").close()
signal.pause()
EOF
OTHERS+=($!)
wait_for 30 test -e "$T/writing"
mkdir -p "$SRC/deep/er"
make_state closed-wal "$SRC/deep/er/idle.db"
make_state crash-delete "$SRC/deep/hot.db"
make_state pages-512 "$SRC/small"
odd=$'\xff\n"\\\xed\xa0\x80é'
cp "$SRC/small" "$SRC/deep/$odd"
echo 'not a database, however it is called' >"$SRC/no.db"
mkfifo "$SRC/fifo.db"
mkdir "$T/outside"
cp "$SRC/small" "$T/outside"
ln -s "$T/outside" "$SRC/link"
ln -s "$T/outside/small" "$SRC/link.db"
fingerprint "$SRC" >"$T/before"

exits 0 timeout 60 "${AS[@]}" "$LITESNAP" list --json --snapshot-dir="$SNAP" "$SRC"
equal "$(fact live.db journal_mode) $(fact live.db in_use) $(fact live.db locked) $(fact live.db proof)" '"wal" true false "wal"' live.db
[ "$(fact live.db wal_size)" = "$(stat -c %s "$SRC/live.db-wal")" ] || fail "wal_size of live.db"
equal "$(fact locked.db locked) $(fact locked.db in_use) $(fact locked.db hot_journal) $(fact locked.db proof)" 'true true false "stat"' locked.db
equal "$(fact writing.db locked) $(fact writing.db hot_journal) $(fact writing.db proof)" 'true false "stat"' writing.db
equal "$(fact quiet.db locked) $(fact quiet.db proof)" 'true "none"' quiet.db
equal "$(fact reading.db in_use) $(fact reading.db locked) $(fact reading.db proof)" 'true false "lock"' reading.db
equal "$(fact idle.db in_use) $(fact idle.db proof) $(fact idle.db wal_size)" 'false "stat" 0' idle.db
equal "$(fact hot.db hot_journal) $(fact hot.db proof) $(fact hot.db journal_mode)" 'true "journal" "rollback"' hot.db
equal "$(fact small page_size) $(fact small size) $(fact small unsafe_place)" "512 $(stat -c %s "$SRC/small") null" small
"$PYTHON" - "$T/out" "$SRC" <<'EOF' || fail 'the whole of list --json'
import json, os, sys
answer = json.load(open(sys.argv[1]))
names = sorted(os.path.relpath(os.fsencode(d["path"]), os.fsencode(sys.argv[2])) for d in answer["databases"])
wanted = sorted([b"live.db", b"locked.db", b"quiet.db", b"reading.db", b"writing.db", b"deep/er/idle.db", b"deep/hot.db", b"small",
                 b'deep/\xff\n"\\\xed\xa0\x80\xc3\xa9'])
assert names == wanted, names
sizes = [d["size"] for d in answer["databases"]]
totals = answer["totals"]
assert totals == {"databases": 9, "size": sum(sizes), "wal_size": sum(d["wal_size"] for d in answer["databases"]),
                  "room_for_largest": max(sizes), "room_for_all": sum(sizes)}, totals
EOF
# A copy has the size that was told.
for db in live.db deep/hot.db deep/er/idle.db; do
        equal "$(litesnap copy --snapshot-dir="$SNAP" "$SRC/$db" - | wc -c)" "$(fact "${db##*/}" size)" "the size of a copy of $db"
done

exits 0 litesnap list --snapshot-dir="$SNAP" "$SRC"
equal "$(grep -c . "$T/out")" 11 'lines for people'
grep -q '^9 databases of ' "$T/out" || fail 'no totals'
grep -q 'wal .*in use .*live.db$' "$T/out" || fail 'no line for live.db'
grep -q 'idle, hot journal .*hot.db$' "$T/out" || fail 'no line for hot.db'
equal "$(LC_ALL=C tr -d '\n -~\200-\377' <"$T/out" | wc -c)" 0 'control characters'
fingerprint "$SRC" | diff "$T/before" - || fail 'the tree has changed'

# What was named by itself, through a symlink too; what is none; nothing there; a tree that cannot be read.
exits 0 litesnap list --json "$SRC/link.db"
equal "$(fact link.db page_size)" 512 'through a symlink'
exits 3 litesnap list "$SRC/no.db"
said "$SRC/no.db: is no SQLite database"
mkdir "$T/empty"
exits 6 litesnap list "$T/empty"
exits 3 litesnap list "$T/absent"
said "$T/absent: cannot open: No such file or directory"
exits 2 litesnap list
exits 2 litesnap list --verify "$SRC"
if is_root; then
        mkdir "$SRC/other"
        mount -t tmpfs none "$SRC/other"
        cp "$SRC/small" "$SRC/other/nested"
        exits 0 litesnap list --json "$SRC"
        equal "$(fact nested page_size)" 512 'on another file system'
        exits 0 litesnap list --json -x "$SRC"
        equal "$(fact nested page_size)" '' 'on another file system, with -x'
        umount "$SRC/other"
        reachable_programs
        cp "$LITESNAP" "$T/litesnap"
        chmod 700 "$SRC/deep"
        chmod 1777 "$SNAP"
        exits 3 as_user "${AS[@]}" "$T/litesnap" list --snapshot-dir="$SNAP" "$SRC"
        said "$SRC/deep: cannot open: Permission denied"
        grep -q small "$T/out" || fail 'what can be read is not listed'
fi
