#!/usr/bin/env bash
# P2, P5, P6: every state that a database is left in or kept in, made for real, read through the mount, from a writable source and
# from read-only ones (bind mount, squashfs, Btrfs snapshot): the recovered and checkpointed source, bit for bit, or the errno
# that SQLite's own verdict means; and the source tree as it was. Prints the table.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts read-only sources'
for tool in mksquashfs mkfs.btrfs btrfs; do
        command -v $tool >"$T/null" || skip "$tool is not installed"
done
for module in loop squashfs btrfs; do
        modprobe -q $module 2>"$T/null" || true
done
mapfile -t states < <("$PYTHON" "$TOOLS/state-make.py" --list)
mkdir "$SRC/writable"

make_state() {
        local state=$1 pid
        mkdir "$SRC/writable/$state"
        case $state in
        live-*)
                "$PYTHON" "$TOOLS/state-make.py" "$state" "$SRC/writable/$state/app.db" "$T/ready.$state" >"$T/made.$state" 2>&1 &
                pid=$!
                OTHERS+=("$pid")
                # A holder that failed never says that it is ready: see what it said.
                wait_for 60 test -e "$T/ready.$state"
                ;;
        *) "$PYTHON" "$TOOLS/state-make.py" "$state" "$SRC/writable/$state/app.db" ;;
        esac
}

# What SQLite makes of a copy of it, into $T/expected: the bytes, or "file" or "EIO" in their place.
expect() {
        local state=$1 db=$2 copy=$T/expected/$1/$2 said side
        mkdir -p "$T/expected/$state"
        cp "$SRC/writable/$state/$db" "$copy"
        for side in wal journal; do
                if [ -e "$SRC/writable/$state/$db-$side" ]; then cp "$SRC/writable/$state/$db-$side" "$copy-$side"; fi
        done
        if said=$(sql "$copy" 'PRAGMA quick_check' 2>&1); then
                equal "$said" ok "quick_check of $state"
                if [ ! -s "$SRC/writable/$state/$db" ]; then
                        : >"$copy"
                elif [ "$state" != header-only ]; then
                        equal "$(sql "$copy" 'SELECT n FROM stamp')" 7 "what $state has committed"
                fi
                return 0
        fi
        case $said in
        *'not a database'*) echo file >"$copy.verdict" ;;
        *malformed*) echo EIO >"$copy.verdict" ;;
        *) fail "$state: SQLite said: $said" ;;
        esac
}

# What the mount answers: "the committed state", "an ordinary file", or the error.
answer() {
        local state=$1 path=$2 db=$3 expected=$T/expected/$1/$3 said
        if ! said=$(LC_ALL=C cp "$path" "$T/copy" 2>&1); then
                echo "${said##*: }"
        elif [ -e "$expected.verdict" ]; then
                if cmp -s "$T/copy" "$SRC/writable/$state/$db"; then echo 'an ordinary file'; else echo 'OTHER BYTES'; fi
        elif cmp -s "$T/copy" "$expected"; then
                echo 'the committed state'
        else
                echo "OTHER BYTES: $(sql "$T/copy" 'PRAGMA integrity_check; SELECT n FROM stamp' 2>&1 | tr '\n' ' ')"
        fi
}

wanted() {
        local verdict=$T/expected/$1/$2.verdict
        case $1 in
        # Locked for good, with no journal that would show an open transaction.
        live-exclusive-memory | live-exclusive-off | live-unix-excl-delete)
                echo 'Device or resource busy'
                return
                ;;
        esac
        if [ ! -e "$verdict" ]; then
                echo 'the committed state'
        elif [ "$(cat "$verdict")" = EIO ]; then
                echo 'Input/output error'
        else
                echo 'an ordinary file'
        fi
}

for state in "${states[@]}"; do make_state "$state"; done
for state in "${states[@]}"; do
        expect "$state" app.db
        if [ -e "$SRC/writable/$state/app.db.other" ]; then expect "$state" app.db.other; fi
done

# The same databases in sources that nobody can write to. What is live there, is live in the writable one.
mkdir "$SRC/read-only" "$SRC/squashfs" "$SRC/btrfs" "$T/btrfs" "$T/idle"
for state in "${states[@]}"; do
        case $state in
        live-*) ;;
        *) cp -a "$SRC/writable/$state" "$T/idle" ;;
        esac
done
mount --bind "$SRC/writable" "$SRC/read-only"
mount -o remount,bind,ro "$SRC/read-only"
mksquashfs "$T/idle" "$T/squashfs.img" -quiet -no-progress -comp gzip -Xcompression-level 1 >"$T/null"
mount -o loop,ro "$T/squashfs.img" "$SRC/squashfs"
truncate -s 256M "$T/btrfs.img"
mkfs.btrfs -q "$T/btrfs.img" >"$T/null" 2>&1
mount -o loop "$T/btrfs.img" "$T/btrfs"
btrfs -q subvolume create "$T/btrfs/live"
cp -a "$T/idle"/. "$T/btrfs/live"
btrfs -q subvolume snapshot -r "$T/btrfs/live" "$T/btrfs/snapshot"
mount --bind "$T/btrfs/snapshot" "$SRC/btrfs"

failed=0
mount_fs -o linger=0
printf '%-26s %-12s %-24s %s\n' STATE SOURCE 'THE MOUNT ANSWERED' 'DIFF OF THE SOURCE'
for state in "${states[@]}"; do
        for source in writable read-only squashfs btrfs; do
                [ -e "$SRC/$source/$state" ] || continue
                fingerprint "$SRC/$source/$state" >"$T/before"
                for db in app.db app.db.other; do
                        [ -e "$SRC/$source/$state/$db" ] || continue
                        ls -l "$MNT/$source/$state" >"$T/null"
                        got=$(answer "$state" "$MNT/$source/$state/$db" $db)
                        want=$(wanted "$state" $db)
                        difference='none'
                        if ! fingerprint "$SRC/$source/$state" | diff "$T/before" - >"$T/difference"; then
                                difference=$(tr '\n' ' ' <"$T/difference")
                        fi
                        mark=
                        if [ "$got" != "$want" ]; then mark=" <- WRONG: not '$want'"; fi
                        if [ "$difference" != none ]; then mark+=" <- WRONG: changed"; fi
                        if [ -n "$mark" ]; then failed=$((failed + 1)); fi
                        printf '%-26s %-12s %-24s %s%s\n' "$state${db#app.db}" $source "$got" "$difference" "$mark"
                done
        done
done
unmount_fs
for pid in "${OTHERS[@]}"; do
        kill "$pid"
        wait "$pid" || true
done
OTHERS=()
umount "$SRC/read-only" "$SRC/squashfs" "$SRC/btrfs" "$T/btrfs"
[ $failed = 0 ] || fail "$failed of them"
