#!/usr/bin/env bash
# P6: an inotify watch on the source sees nothing created, deleted, modified, moved, or changed in its attributes, not for a moment,
# while databases in every state are listed, opened and read: as root, as another user, and as their owner.
. "$(dirname "$0")/../lib.sh"

command -v inotifywait >"$T/null" || skip 'inotifywait is not installed'
mapfile -t states < <("$PYTHON" "$TOOLS/state-make.py" --list)
for state in "${states[@]}"; do
        mkdir "$SRC/$state"
        case $state in
        live-*)
                "$PYTHON" "$TOOLS/state-make.py" "$state" "$SRC/$state/app.db" "$T/ready.$state" &
                OTHERS+=($!)
                wait_for 60 test -e "$T/ready.$state"
                ;;
        *) "$PYTHON" "$TOOLS/state-make.py" "$state" "$SRC/$state/app.db" ;;
        esac
done
holders=("${OTHERS[@]}")

watch() {
        : >"$T/events"
        inotifywait -m -r -e create,delete,modify,attrib,move,delete_self,move_self --format '%e %w%f' "$SRC" >"$T/events" 2>"$T/watch" &
        watcher=$!
        OTHERS+=("$watcher")
        wait_for 60 grep -q 'Watches established' "$T/watch"
}

# What comes before the mark has been delivered when the mark has.
end_watch() {
        touch "$SRC/mark"
        wait_for 60 grep -q "$SRC/mark" "$T/events"
        kill "$watcher"
        wait "$watcher" || true
        if grep -v "$SRC/mark" "$T/events"; then fail "the watch saw these, $1"; fi
        rm "$SRC/mark"
}

# As whoever READER is; prints how many could be read, and how many not.
READER=()
visit() {
        # shellcheck disable=SC2016 # the inner shell expands it
        "${READER[@]}" bash -c 'ls -lR "$0" >/dev/null; opened=0 refused=0
                for db in "$0"/*/app.db*; do
                        if cat "$db" >/dev/null 2>&1; then opened=$((opened + 1)); else refused=$((refused + 1)); fi
                done
                echo "$opened read, $refused refused"' "$MNT"
}

visit_all() {
        local said
        mount_fs -o busy_timeout=200,linger=0
        # Two at once, as two tools would.
        visit >"$T/null" &
        said=$(visit)
        wait $!
        say "$1: $said"
        [ "${said%% *}" -ge 35 ] || fail "only $said"
}

watch
visit_all 'as root'
unmount_fs
end_watch 'as root'
if is_root; then
        kill "${holders[@]}"
        for pid in "${holders[@]}"; do wait "$pid" || true; done
        OTHERS=()
        chmod -R a+rX "$SRC"
        mount_as_user
        READER=("${AS_USER[@]}")
        watch
        visit_all 'as another user'
        unmount_as_user
        end_watch 'as another user'
        chown -R 65534:65534 "$SRC"
        watch
        visit_all 'as their owner'
        unmount_as_user
        end_watch 'as their owner'
fi
