#!/usr/bin/env bash
# A restore that is killed at any system call that changes DEST or what lies beside it leaves, to SQLite, the whole old state or the whole
# new one; and each change is on disk before the next begins.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

command -v strace >/dev/null || skip 'no strace'
is_plain || skip 'a sanitizer does not run under strace'
strace -qq -o "$T/null" true 2>/dev/null || skip 'this machine does not let strace trace'

make_state closed-wal "$T/copy.db"
sql "$T/copy.db" 'UPDATE stamp SET n = 5; UPDATE bulk SET body = '\''new'\''; PRAGMA wal_checkpoint(TRUNCATE)' >"$T/null"
litesnap copy "$T/copy.db" "$T/copy"
digest() {
        sql "$1" 'PRAGMA integrity_check; SELECT n FROM stamp; SELECT id, body FROM bulk ORDER BY id' | sha
}
sha() {
        sha256sum | cut -d' ' -f1
}
new=$(digest "$T/copy.db")
# restore_is_killed CALL N: at that call of a restore of a pristine place. False when it came to its end before.
restore_is_killed() {
        local status=0
        rm -rf "$SRC"
        cp -a "$T/pristine" "$SRC"
        strace -qq -f -o "$T/trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" \
                "$LITESNAP" restore --snapshot-dir="$SNAP" "$T/copy" "$SRC/app.db" >"$T/out" 2>&1 || status=$?
        [ $status = 0 ] || [ $status = 137 ] || fail "ended with $status: $(cat "$T/out")"
        [ $status = 137 ]
} 2>"$T/null"
calls=fsync,renameat,renameat2,unlinkat

# make_part wal|delete DB: a crash after which a WAL or a journal holds a part of the pages, so that beside another main it would make a
# mixture, and not the old state again.
make_part() {
        make_state closed-delete "$2"
        "$PYTHON" - "$@" <<'EOF' || true
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[2], isolation_level=None)
for statement in [f"PRAGMA journal_mode = {sys.argv[1]}", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_autocheckpoint = 0",
                  "PRAGMA cache_size = 1", "BEGIN IMMEDIATE", "UPDATE bulk SET body = hex(randomblob(400)) WHERE id > 180"]:
    db.execute(statement).fetchall()
if sys.argv[1] == "wal":
    db.execute("COMMIT")
os.kill(os.getpid(), signal.SIGKILL)
EOF
}

for state in part-wal part-delete closed-delete crash-wal crash-wal-no-shm crash-all-in-wal crash-delete crash-persist; do
        rm -rf "$T/pristine"
        mkdir "$T/pristine"
        case $state in
        part-*) make_part "${state#part-}" "$T/pristine/app.db" ;;
        *) make_state $state "$T/pristine/app.db" ;;
        esac
        # What SQLite makes of it.
        rm -rf "$T/old"
        cp -a "$T/pristine" "$T/old"
        old=$(digest "$T/old/app.db")
        [ "$old" != "$new" ] || fail 'the old state is the new one'
        olds=0 news=0 kills=0
        for call in fsync renameat unlinkat; do
                # Killed when it is about to make the call for the nth time, until there are not so many.
                n=1
                while restore_is_killed $call $n; do
                        case $(digest "$SRC/app.db") in
                        "$old") olds=$((olds + 1)) ;;
                        "$new") news=$((news + 1)) ;;
                        *) fail "$state: killed at $call number $n, neither the old nor the new: $(cat "$T/trace")" ;;
                        esac
                        n=$((n + 1)) kills=$((kills + 1))
                done
        done
        equal "$(digest "$SRC/app.db")" "$new" "$state, not killed"
        say "$state: killed $kills times, and then it was the old one $olds times, the new one $news times"
        if [ $kills -lt 6 ] || [ $news -lt 1 ]; then
                fail 'hardly tried'
        fi

        # Between any two changes of names there is a sync of the directory, and a file is synced before it gets its name.
        rm -rf "$SRC"
        cp -a "$T/pristine" "$SRC"
        strace -qq -f -y -o "$T/trace" -e trace=$calls "$LITESNAP" restore --snapshot-dir="$SNAP" "$T/copy" "$SRC/app.db"
        grep -oE "renameat.*\"app.db\"|unlinkat.*= 0|fsync\([0-9]+<$SRC>|fsync\([0-9]+<$SRC/\.litesnap" "$T/trace" |
                sed -E 's/^renameat.*/rename/; s/^unlinkat.*/unlink/; s/.*source.\.litesnap.*/sync-file/; s/^fsync.*/sync-names/' | uniq >"$T/order"
        case $state in
        closed-delete) want='sync-file rename sync-names ' ;;
        *) want='sync-file rename sync-names unlink sync-names rename sync-names ' ;;
        esac
        equal "$(tr '\n' ' ' <"$T/order")" "$want" "$state: the order"
done
