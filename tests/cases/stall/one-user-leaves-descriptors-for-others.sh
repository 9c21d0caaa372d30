#!/usr/bin/env bash
# Promise 9: a user who opens files, databases and directories without end takes no more than a share of the daemon's descriptors: the
# others still look, list and read. What he closes is there again.
. "$(dirname "$0")/../lib.sh"

need_root 'acts as three users'
for n in $(seq 300); do
        mkdir "$SRC/$n"
        echo "$n" >"$SRC/$n/file"
done
for n in $(seq 50); do sql "$SRC/$n/app.db" 'CREATE TABLE t(x)'; done
AS=(bash -c "ulimit -n 256; exec \"\$@\"" limited "${AS[@]}")
mount_fs
cat >"$T/hog.py" <<'PY'
import os, sys
held, refused = 0, 0
keep = []
for n in range(1, 301):
    for path in (f"{n}/file", f"{n}", f"{n}/app.db"):
        try:
            keep.append(os.open(f"{sys.argv[1]}/{path}", os.O_RDONLY))
        except FileNotFoundError:
            pass
        except OSError:
            refused += 1
print(len(keep), refused, flush=True)
sys.stdin.readline()
PY
for round in 1 2; do
        coproc HOG { as_user "$PYTHON" "$T/hog.py" "$MNT"; }
        hog=$HOG_PID
        OTHERS+=("$hog")
        read -r -t 60 held refused <&"${HOG[0]}"
        say "round $round: $held open, $refused refused, the daemon has $(descriptors) descriptors"
        [ "$held" -ge 40 ] || fail "only $held could be opened"
        [ "$refused" -gt 0 ] || fail 'nothing was refused: this case shows nothing'
        for user in 0 65533; do
                for n in 299 "$((100 + round))"; do
                        setpriv --reuid $user --clear-groups ls "$MNT/$n" >"$T/listed" || fail "user $user cannot list"
                        equal "$(setpriv --reuid $user --clear-groups cat "$MNT/$n/file")" "$n" "what user $user reads"
                done
                setpriv --reuid $user --clear-groups cmp "$MNT/50/app.db" "$SRC/50/app.db"
        done
        eval "exec ${HOG[1]}>&-"
        wait "$hog"
done
unmount_fs
