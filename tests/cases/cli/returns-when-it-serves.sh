#!/usr/bin/env bash
# Without -f the command returns only when the mount serves: what comes next on the command line finds the files. It leaves
# the terminal alone, does not sit in the directory it was started from, and takes relative paths.
. "$(dirname "$0")/../lib.sh"

echo text >"$SRC/file"
sql "$SRC/app.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'
mkdir "$T/start"
for round in $(seq "$(scaled 10)"); do
        cd "$T/start"
        # The command substitution would wait for whoever still holds the pipe.
        said=$(timeout 60 "${AS[@]}" "$LITESNAPFS" -o snapshot_dir=../snapshots ../source ../mount 2>&1) || fail "status $?: $said"
        equal "$(cat "$MNT/file")" text "round $round"
        cd "$T"
        cmp "$SRC/app.db" "$MNT/app.db"
        equal "$said" '' "what it says"
        is_mounted "$MNT" || fail "not mounted"
        # A fresh process group and cwd: it does not die with the terminal nor keep a file system busy.
        DAEMON=$(pgrep -f "litesnapfs .*\.\./mount" | head -1)
        [ -n "$DAEMON" ] || fail "where is the daemon?"
        equal "$(readlink "/proc/$DAEMON/cwd")" / "its working directory"
        umount "$MNT" 2>"$T/null" || fusermount3 -u "$MNT"
        wait_for 60 is_gone "$DAEMON"
        DAEMON=
done
no_reports
equal "$(find "$SNAP" -mindepth 1)" '' "snapshot_dir"
