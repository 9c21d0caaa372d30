#!/usr/bin/env bash
# S6: sqlite3, python3's sqlite3, file, less, sha256sum and a file manager work on the mounted databases, whether the WAL is live,
# idle or left over, or there is none; the hidden -wal and -shm are there and empty for who asks by name, and nobody
# is told a -journal.
. "$(dirname "$0")/../lib.sh"

"$PYTHON" - "$SRC" "$T/go" "$T/stop" <<'P' &
import os, sqlite3, sys, time
source, ready, stop = sys.argv[1:]
keep = {}
for name, journal in (("live-wal.db", "wal"), ("idle-wal.db", "wal"), ("delete.db", "delete"), ("persist.db", "persist")):
    writer = sqlite3.connect(f"{source}/{name}", isolation_level=None, timeout=60)
    writer.execute(f"PRAGMA journal_mode={journal}")
    writer.execute("CREATE TABLE t(x)")
    writer.executemany("INSERT INTO t VALUES(?)", [(f"row {i} " * 20,) for i in range(500)])
    writer.execute("INSERT INTO t VALUES('last')")
    keep[name] = writer
keep["idle-wal.db"].close()
open(ready, "w").close()
while not os.path.exists(stop):
    time.sleep(0.02)
P
job=$!
OTHERS+=("$job")
wait_for 60 test -e "$T/go"
[ -s "$SRC/live-wal.db-wal" ]
[ ! -e "$SRC/idle-wal.db-wal" ]
fingerprint "$SRC" >"$T/before"
mount_fs
for name in live-wal idle-wal delete persist; do
        db=$MNT/$name.db
        for query in 'PRAGMA integrity_check' 'SELECT count(*) FROM t' "SELECT x FROM t WHERE x = 'last'"; do
                sql "$db" "$query"
        done >"$T/sqlite3"
        equal "$(tr '\n' ' ' <"$T/sqlite3")" "ok 501 last " "sqlite3 on $name"
        equal "$(sql -readonly "$db" 'SELECT count(*) FROM t')" 501 "sqlite3 -readonly on $name"
        equal "$(sql "$db" .dump | grep -c '^INSERT')" 501 "sqlite3 .dump of $name"
        refused 'readonly' sqlite3 "$db" 'INSERT INTO t VALUES(1)'
        "$PYTHON" - "$db" <<'P'
import sqlite3, sys
for uri in (sys.argv[1], f"file:{sys.argv[1]}?mode=ro"):
    reader = sqlite3.connect(uri, uri=uri.startswith("file:"))
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (501,)
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    try:
        reader.execute("DELETE FROM t")
        raise AssertionError("was not refused")
    except sqlite3.OperationalError as error:
        assert "readonly" in str(error), error
    reader.close()
P
        cat "$db" >"$T/copy"
        equal "$(sha256sum <"$T/copy")" "$(sha256sum <"$db")" "sha256sum of $name"
        equal "$(sha256sum "$db" | cut -d' ' -f1)" "$(sha "$T/copy")" "sha256sum of $name by name"
        cmp "$T/copy" "$db"
        if command -v file >/dev/null; then
                case $(file -b "$db") in
                *"SQLite 3.x database"*) ;;
                *) fail "file says of $name: $(file -b "$db")" ;;
                esac
                equal "$(file -b --mime-type "$db")" application/vnd.sqlite3 "file's type of $name"
        fi
        if command -v less >/dev/null; then
                # -f: a binary file, which less otherwise asks about.
                equal "$(LESSOPEN='' less -f "$db" </dev/null | sha256sum)" "$(sha256sum <"$T/copy")" "less on $name"
        fi
        equal "$(head -c 15 "$db") $(tail -c 4096 "$db" | sha256sum)" \
                "SQLite format 3 $(tail -c 4096 "$T/copy" | sha256sum)" "head and tail of $name"
        equal "$(du -b "$db" | cut -f1) $(grep -c last "$db")" "$(stat -c %s "$T/copy") $(grep -c last "$T/copy")" "du and grep"
        refused 'No such file' cat "$db-journal"
done
for name in live-wal idle-wal; do
        for side in wal shm; do
                equal "$(stat -c '%s %F' "$MNT/$name.db-$side")" "0 regular empty file" "$name.db-$side"
                equal "$(wc -c <"$MNT/$name.db-$side")" 0 "bytes of $name.db-$side"
                refused 'Read-only' touch "$MNT/$name.db-$side"
        done
done
equal "$(cd "$MNT" && printf '%s ' * .[!.]*)" 'delete.db idle-wal.db live-wal.db persist.db .[!.]* ' "the listing"
if command -v mc >/dev/null; then
        # A file manager shows the directory, its viewer a file.
        mkdir "$T/home"
        "$PYTHON" - "$MNT" "$T/home" <<'P'
import os, pty, select, signal, sys, time
mount, home = sys.argv[1:]
def shows(text, *command):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(HOME=home, TERM="vt100", SHELL="/bin/sh", COLUMNS="80", LINES="24")
        os.execvp(command[0], command)
    screen = b""
    end = time.monotonic() + 120
    while text not in screen:
        assert time.monotonic() < end, f"{command} does not show {text}: {screen[-3000:]}"
        if select.select([terminal], [], [], 0.1)[0]:
            screen += os.read(terminal, 65536)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
shows(b"persist.db", "mc", "-a", "-u", "-d", mount, mount)
# It knows such files and has sqlite3 show them.
shows(b"INSERT INTO t", "mcview", f"{mount}/live-wal.db")
P
fi
fingerprint "$SRC" >"$T/after"
diff "$T/before" "$T/after" || fail "browsing has changed the source"
touch "$T/stop"
wait "$job"
unmount_fs
