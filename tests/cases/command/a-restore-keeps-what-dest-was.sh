#!/usr/bin/env bash
# restore: DEST becomes the copy with DEST's owner, mode, ACL and attributes, and without side files; what is bad, in use or no database
# is refused and DEST left as it was, unless forced; a dry run changes nothing.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

restore() {
        litesnap restore --snapshot-dir="$SNAP" "$@"
}
stamp() {
        sql "$1" 'PRAGMA integrity_check; SELECT n FROM stamp' | tr '\n' ' '
}
# The copy to restore says 5, what is there says 7.
make_state closed-wal "$T/copy.db"
sql "$T/copy.db" 'UPDATE stamp SET n = 5; PRAGMA wal_checkpoint(TRUNCATE)' >"$T/null"
litesnap copy "$T/copy.db" "$T/copy"

for state in closed-delete closed-wal crash-wal crash-wal-no-shm crash-all-in-wal crash-delete crash-persist closed-persist pages-512 \
        pages-65536 crash-wal-torn; do
        db=$SRC/$state.db
        make_state $state "$db"
        chmod 2640 "$db"
        setfattr -n user.note -v kept "$db"
        setfacl -m u:65534:r "$db"
        is_root && chown 65534:65533 "$db"
        was=$(stat -c '%u %g %a' "$db" && getfacl -cp "$db" && getfattr -d "$db" 2>/dev/null)
        fingerprint "$SRC" >"$T/before"
        exits 0 restore --dry-run "$T/copy" "$db"
        grep -q "would be replaced by $T/copy" "$T/out" || fail "a dry run said: $(cat "$T/out")"
        fingerprint "$SRC" | diff "$T/before" - || fail 'a dry run changed something'
        exits 0 restore "$T/copy" "$db"
        cmp "$T/copy" "$db" || fail "$state was not replaced"
        equal "$(stat -c '%u %g %a' "$db" && getfacl -cp "$db" && getfattr -d "$db" 2>/dev/null)" "$was" "what $state was"
        equal "$(echo "$db"-*)" "$db-*" "side files of $state"
        equal "$(stamp "$db")" 'ok 5 ' "$state, restored"
        rm "$db"*
        no_drafts "$SRC"
done

# A place where there is nothing, or only what was left of an older one.
exits 0 restore "$T/copy" "$SRC/new.db"
equal "$(stamp "$SRC/new.db")" 'ok 5 ' 'a new one'
make_state crash-wal "$SRC/left.db"
rm "$SRC/left.db"
exits 0 restore "$T/copy" "$SRC/left.db"
equal "$(stamp "$SRC/left.db")" 'ok 5 ' 'one beside the WAL of another'
: >"$SRC/zero.db"
exits 0 restore "$T/copy" "$SRC/zero.db"
# A COPY may be live itself, and is what its WAL says.
hold_state live-wal "$T/live.db"
exits 0 restore "$T/live.db" "$SRC/zero.db"
equal "$(stamp "$SRC/zero.db")" 'ok 7 ' 'what was live'
kill "$HOLDER"

# refused_as STATUS TEXT ARGUMENT...: nothing changes.
refused_as() {
        local want=$1 why=$2
        shift 2
        fingerprint "$SRC" >"$T/before"
        exits "$want" restore "$@"
        said "$why"
        fingerprint "$SRC" | diff "$T/before" - || fail 'a refused restore changed something'
}
for state in live-wal live-delete live-reading live-exclusive-delete live-unix-excl-wal; do
        hold_state $state "$SRC/used.db"
        refused_as 4 "$SRC/used.db: in use by process $HOLDER (" "$T/copy" "$SRC/used.db"
        refused_as 4 "$SRC/used.db: in use by process $HOLDER (" --dry-run "$T/copy" "$SRC/used.db"
        kill "$HOLDER"
        wait_for 20 is_gone "$HOLDER"
        rm -f "$SRC"/used.db*
done
# An application that neither holds a lock nor is to be seen in /proc, since it lives in another process namespace.
if is_root; then
        make_state closed-delete "$SRC/away.db"
        mkfifo "$T/opened"
        # shellcheck disable=SC2016 # for the other shell
        unshare --pid --fork --kill-child sh -c 'exec 3<>"$1"; echo >"$2"; exec sleep 1000' - "$SRC/away.db" "$T/opened" &
        OTHERS+=($!)
        read -r _ <"$T/opened"
        refused_as 4 "$SRC/away.db: in use by" "$T/copy" "$SRC/away.db"
        without_proc() {
                # shellcheck disable=SC2016 # for the other shell
                unshare --mount sh -c 'mount -t tmpfs none /proc && exec "$@"' - "$LITESNAP" restore --snapshot-dir="$SNAP" "$@"
        }
        if is_plain; then
                exits 4 without_proc "$T/copy" "$SRC/away.db"
                said 'in use by a process that cannot be seen from here'
        fi
        exits 0 restore --force "$T/copy" "$SRC/away.db"
fi
cp "$T/copy" "$T/bad"
"$PYTHON" - "$T/bad" <<'EOF'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(3 * 4096 + 200)
    file.write(b"\xa5" * 3000)
EOF
make_state crash-wal "$SRC/app.db"
refused_as 1 "$T/bad: does not pass its check" "$T/bad" "$SRC/app.db"
refused_as 1 "$T/bad: does not pass its check" --quick "$T/bad" "$SRC/app.db"
echo text >"$SRC/passwd"
refused_as 3 "$SRC/passwd: is no SQLite database" "$T/copy" "$SRC/passwd"
refused_as 3 "$T/none: cannot open" "$T/none" "$SRC/app.db"
refused_as 3 "$SRC/passwd: is no SQLite database" "$SRC/passwd" "$SRC/app.db"
refused_as 3 "is $SRC/app.db itself" "$SRC/app.db" "$SRC/app.db"
mkfifo "$SRC/fifo"
refused_as 3 'is no regular file' "$T/copy" "$SRC/fifo"
ln "$SRC/app.db" "$SRC/second"
refused_as 3 'hard links' "$T/copy" "$SRC/app.db"
rm "$SRC/second"
# Its own state cannot be had: then a crash in the midst could lose it, and that is for the administrator to say.
make_state crash-wal "$SRC/broken.db"
truncate -s 5000 "$SRC/broken.db"
truncate -s 4200 "$SRC/broken.db-wal"
exits 0 restore --force "$T/copy" "$SRC/broken.db"
equal "$(stamp "$SRC/broken.db")" 'ok 5 ' 'what was broken'
exits 0 restore --force "$T/bad" "$SRC/app.db"
cmp "$T/bad" "$SRC/app.db" || fail '--force did not'
exits 0 restore --force "$T/copy" "$SRC/passwd"
equal "$(stamp "$SRC/passwd")" 'ok 5 ' 'by force'
no_drafts "$T"

# No room: DEST is as it was.
if is_root; then
        mkdir "$SRC/small"
        mount -t tmpfs -o size=300K,mode=755 none "$SRC/small"
        MOUNTS+=("$SRC/small")
        make_state pages-512 "$SRC/small/app.db"
        head -c 200K /dev/zero >"$SRC/small/rest" 2>"$T/null" || true
        was=$(sha256sum "$SRC/small/app.db")
        exits 5 restore "$T/copy" "$SRC/small/app.db"
        said "$SRC/small/app.db: cannot write its successor: No space left on device"
        equal "$(sha256sum "$SRC/small/app.db")" "$was" 'DEST on a full disk'
        no_drafts "$SRC"
        umount "$SRC/small"
fi
