#!/usr/bin/env bash
# check: a database that is damaged, in its pages, its indexes or its schema, is named and is status 1, among any number of good ones, with
# any number of jobs; what cannot be checked is another status; a stranger's schema does nothing but be checked.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

check() {
        litesnap check --snapshot-dir="$SNAP" "$@"
}

for state in closed-wal crash-wal crash-delete closed-persist pages-512 pages-65536 utf-16 auto-vacuum reserved-bytes; do
        make_state $state "$SRC/$state.db"
done
hold_state live-wal "$SRC/live.db"
# With what may be in a schema.
sql "$SRC/rich.db" 'CREATE TABLE t(a, b AS (abs(a)) STORED, CHECK (a > 0)); CREATE INDEX i ON t(a + 1) WHERE a > 1' \
        'CREATE VIEW v AS SELECT * FROM t' 'CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END' 'INSERT INTO t(a) VALUES(1), (2)' \
        'CREATE TABLE large(x); INSERT INTO large VALUES(randomblob(30000000))' 'CREATE TABLE w(x PRIMARY KEY) WITHOUT ROWID' \
        'CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES(1)'
fingerprint "$SRC" >"$T/before"
for jobs in 1 4; do
        exits 0 check -j $jobs "$SRC"
        equal "$(grep -c ': ok$' "$T/out")" 11 'good ones'
        grep -q '^11 checked: 11 ok, 0 bad, 0 could not be checked$' "$T/out" || fail 'no sum'
        [ ! -s "$T/err" ] || fail "complained: $(cat "$T/err")"
done
fingerprint "$SRC" | diff "$T/before" - || fail 'the tree has changed'

mkdir "$SRC/bad"
# An index without one of its entries: quick_check does not see it.
sql "$SRC/bad/index.db" 'CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1), (2), (3)' \
        'PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = NULL, type = '\''x'\'' WHERE name = '\''none'\'
sql "$SRC/bad/index.db" '.dbconfig defensive off' 'PRAGMA writable_schema = ON' \
        'DELETE FROM sqlite_schema WHERE name = '\''i'\' >"$T/null"
root=$(sql "$SRC/bad/index.db" 'PRAGMA page_count')
sql "$SRC/bad/index.db" 'INSERT INTO t VALUES(4)' '.dbconfig defensive off' 'PRAGMA writable_schema = ON' \
        "INSERT INTO sqlite_schema VALUES('index', 'i', 't', $root, 'CREATE INDEX i ON t(a)')" >"$T/null"
exits 0 check --quick "$SRC/bad/index.db"
exits 1 check "$SRC/bad/index.db"
said "$SRC/bad/index.db: BAD" 'missing from index i'

# A page of garbage; a schema that does not parse; too short a file; each is status 1.
make_state closed-delete "$SRC/bad/page.db"
"$PYTHON" - "$SRC/bad/page.db" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(3 * 4096 + 200)
    file.write(b"\xa5" * 3000)
EOF
exits 1 check --quick "$SRC/bad/page.db"
said "$SRC/bad/page.db: BAD"
sql "$SRC/bad/schema.db" 'CREATE TABLE t(a)' '.dbconfig defensive off' 'PRAGMA writable_schema = ON' \
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, nonsense nonsense ('" >"$T/null"
exits 1 check "$SRC/bad/schema.db"
said "$SRC/bad/schema.db: BAD" 'malformed database schema'
make_state truncated "$SRC/bad/short.db"
exits 1 check "$SRC/bad/short.db"
sql "$SRC/bad/constraint.db" 'CREATE TABLE t(a); INSERT INTO t VALUES(1)' '.dbconfig defensive off' 'PRAGMA writable_schema = ON' \
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, CHECK (a > 1))'" >"$T/null"
exits 1 check "$SRC/bad/constraint.db"
said 'CHECK constraint failed in t'
# Written by a SQLite that does not exist yet: it may be good; we cannot tell.
sql "$T/newer.db" 'PRAGMA journal_mode = WAL; CREATE TABLE t(a)' '.dbconfig defensive off' 'PRAGMA writable_schema = ON' \
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, nonsense nonsense ('" >"$T/null"
"$PYTHON" - "$T/newer.db" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(96)
    file.write((9099099).to_bytes(4, "big"))
EOF
exits 3 check "$T/newer.db"
said "$T/newer.db" 'written by a newer SQLite'

for jobs in 1 4; do
        exits 1 check --json --jobs=$jobs "$SRC"
        "$PYTHON" - "$T/out" <<'EOF' || fail 'check --json'
import json, os, sys
answer = json.load(open(sys.argv[1]))
bad = sorted(os.path.basename(d["path"]) for d in answer["databases"] if d["result"] == "bad")
assert bad == ["constraint.db", "index.db", "page.db", "schema.db", "short.db"], bad
assert (answer["ok"], answer["bad"], answer["failed"], answer["check"]) == (11, 5, 0, "integrity_check"), answer
assert all(d["message"] for d in answer["databases"] if os.path.basename(d["path"]) in ("index.db", "page.db"))
EOF
done

# Not bad, but not checked: locked, or not a database. A bad one beside it is what counts.
hold_state live-exclusive-off "$T/locked.db"
touch "$T/locked.db"
exits 4 check --busy-timeout=200 "$T/locked.db"
exits 1 check --busy-timeout=200 "$T/locked.db" "$SRC/bad"
echo text >"$T/text"
exits 3 check "$T/text"
exits 3 check "$T/absent"
mkdir "$T/empty"
exits 6 check "$T/empty"
exits 2 check --jobs=0 "$SRC"
exits 2 check --jobs=2x "$SRC"

# A stranger's schema: memory is bounded, and a signal ends what takes for ever.
"$PYTHON" - "$T/greedy.db" "$T/endless.db" <<'EOF'
import sqlite3, sys
def schema(path, sql):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE t(a)")
    db.executemany("INSERT INTO t VALUES(?)", [(i % 9,) for i in range(100000)])
    db.commit()
    db.execute("PRAGMA writable_schema = ON")
    db.execute("UPDATE sqlite_schema SET sql = ?", (sql,))
    db.commit()
schema(sys.argv[1], "CREATE TABLE t(a, CHECK (length(hex(zeroblob(400000000))) >= a))")
# Two million bytes for each row.
schema(sys.argv[2], "CREATE TABLE t(a, CHECK (length(replace(hex(zeroblob(10000 + a)), '0', hex(zeroblob(50)))) >= a))")
EOF
if is_plain; then
        exits 3 check "$T/greedy.db"
        said "$T/greedy.db: " 'Cannot allocate memory'
        "$LITESNAP" check --snapshot-dir="$SNAP" "$T/endless.db" >"$T/null" 2>&1 &
        pid=$!
        OTHERS+=("$pid")
        # At work once it has used up a second of a processor.
        busy() { [ "$(awk '{print $14 + $15}' "/proc/$pid/stat")" -gt "$(getconf CLK_TCK)" ]; }
        wait_for 120 busy
        kill -TERM $pid
        wait_for 20 is_gone $pid
fi
