#!/usr/bin/env bash
# Promise 9: who had a file open once and kept a descriptor of its place (O_PATH) is judged by what the source says now: after a
# chmod he gets in no more, also while somebody else has it open. Databases and ordinary files.
. "$(dirname "$0")/../lib.sh"

need_root 'acts as two users'
sql "$SRC/app.db" 'CREATE TABLE t(x)'
seq 1 2000 >"$SRC/file"
cp "$TOOLS/keep-path.py" "$T"
mount_fs -o linger=1

again() {
        echo >&"${KEEPER[1]}"
        read -r -t 20 answer <&"${KEEPER[0]}"
        say "$1: $answer"
        [ "$answer" = "$2" ]
}
is_forgotten() {
        [ $SECONDS -gt $((told + 1)) ]
}

for name in app.db file; do
        for other in none reader; do
                chmod 644 "$SRC/$name"
                as_user cat "$MNT/$name" >"$T/null"
                coproc KEEPER { as_user "$PYTHON" "$T/keep-path.py" "$MNT/$name"; }
                keeper=$KEEPER_PID
                OTHERS+=("$keeper")
                read -r -t 20 answer <&"${KEEPER[0]}"
                equal "$answer" kept "$name"
                # Opened by who has looked it up first: it is the same node to the kernel.
                if [ $other = reader ]; then exec 5<"$MNT/$name"; fi
                again "$name before the chmod" open || fail "$name cannot be opened"
                chmod 600 "$SRC/$name"
                # What is open, and any other file, the kernel may believe for a second; a database that was closed not at all.
                told=$SECONDS
                if [ $other$name != noneapp.db ]; then wait_for 10 is_forgotten; fi
                again "$name after the chmod, $other" EACCES || fail "$name is open to whom the chmod shuts out"
                if [ $other = reader ]; then exec 5<&-; fi
                again "$name after the close" EACCES || fail "$name is open again"
                eval "exec ${KEEPER[1]}>&-"
                wait "$keeper"
        done
done
unmount_fs
