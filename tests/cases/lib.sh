# What every case leans on: a place of its own, a mount that is checked when it comes and when it goes, conditions to
# wait for, and an end that leaves nothing behind. Sourced first: . "$(dirname "$0")/../lib.sh"
#
# As root a case runs in mount and process namespaces of its own, so that even a case that is killed takes its
# mounts, daemons and writers with it, and so that /dev/fuse can be given to ordinary users without changing the machine.
#
# The build sets LITESNAP, LITESNAPFS, LITESNAPFS_PACED, LITESNAPFS_POSIX_LOCKS, TORTURE_WRITER, TORTURE_READER, WIDE_INODES and SANITIZER.
# shellcheck shell=bash

set -Eeuo pipefail

CASES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOOLS=$(cd "$CASES/../tools" && pwd)
PYTHON=/usr/bin/python3
SANITIZER=${SANITIZER:-none}
: "${LITESNAPFS:?the program to test}"

if [ "$(id -u)" = 0 ] && [ -z "${CASE_NAMESPACE:-}" ] && unshare --mount --pid --fork --mount-proc true 2>/dev/null; then
        export CASE_NAMESPACE=1
        exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash "$0" "$@"
fi

umask 022
T=$(mktemp -d "${CASE_ROOT:-/var/tmp}/litesnapfs-case.XXXXXX")
chmod 755 "$T"
SRC=$T/source
MNT=$T/mount
SNAP=$T/snapshots
LOG=$T/log
SAN=$T/sanitizer
mkdir "$SRC" "$MNT" "$SNAP" "$SAN"
chmod 1777 "$SAN"
: >"$LOG"
DAEMON=
WRITER=
OTHERS=() # further processes that the case started
MOUNTS=("$MNT")
AS=() # prefix of the daemon's command

export TMPDIR=$T
# A report must reach a file, whatever became of the daemon's stderr: the end of the case looks for one.
export ASAN_OPTIONS=log_path=$SAN/asan:exitcode=99:detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=log_path=$SAN/ubsan:print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=log_path=$SAN/tsan:exitcode=99:second_deadlock_stack=1
# TSan of gcc 12 cannot start where the kernel randomizes more address bits than it knows of.
if [ "$SANITIZER" = thread ]; then
        AS=(setarch "$(uname -m)" -R)
fi

say() {
        printf '# %s\n' "$*"
}

fail() {
        printf 'FAILED: %s\n' "$*" >&2
        exit 1
}

# Only for what the machine truly cannot do.
skip() {
        printf 'SKIPPED: %s\n' "$*"
        exit 77
}

is_root() {
        [ "$(id -u)" = 0 ]
}

need_root() {
        is_root || skip "needs root: $*"
}

# RSS, descriptors and times say nothing about the product when a sanitizer keeps its own books.
is_plain() {
        [ "$SANITIZER" = none ]
}

# N in the plain build, fewer rounds of the same under a sanitizer.
scaled() {
        if is_plain; then echo "$1"; else echo $((($1 + 4) / 5)); fi
}

case_on_error() {
        printf 'FAILED: line %s: %s\n' "$1" "$2" >&2
}
trap 'case_on_error "${BASH_SOURCE[0]##*/}:$LINENO" "$BASH_COMMAND"' ERR

# Asks again and again until the command succeeds; fails after so many seconds. Everything that has to wait waits here.
wait_for() {
        local seconds=$1 end
        shift
        end=$((SECONDS + seconds))
        until "$@" 2>/dev/null; do
                if [ $SECONDS -ge $end ]; then
                        fail "waited $seconds s in vain for: $*"
                fi
                sleep 0.02
        done
}

# A zombie is gone: it holds nothing any more.
is_gone() {
        ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

is_mounted() {
        grep -q " $1 .* - fuse" /proc/self/mountinfo
}

is_not_mounted() {
        ! is_mounted "$1"
}

# From here on mount_fs mounts the program whose clocks and copying go at the pace that the case sets, by tools/pace.py:
# what takes long or comes late is then the case's to say, on a machine of any speed.
paced() {
        LITESNAPFS=${LITESNAPFS_PACED:?}
        export PACE=$T/pace
        head -c 32 /dev/zero >"$PACE"
}

pace() {
        "$PYTHON" "$TOOLS/pace.py" "$@"
}

# ---- mounting -----------------------------------------------------------------------------------------------

is_mounted_or_dead() {
        is_mounted "$MNT" || is_gone "$DAEMON"
}

# mount_fs [OPTION...]: $SRC on $MNT, in the foreground of a background job, so that its exit status can be had.
mount_fs() {
        "${AS[@]}" "$LITESNAPFS" -f -o "snapshot_dir=$SNAP" "$@" "$SRC" "$MNT" >>"$LOG" 2>&1 &
        DAEMON=$!
        wait_for 60 is_mounted_or_dead
        if ! is_mounted "$MNT"; then
                cat "$LOG" >&2
                fail "litesnapfs did not mount"
        fi
}

# Unmounts and demands that the daemon then ends by itself, with status 0.
unmount_fs() {
        local status=0
        if is_root; then umount "$MNT"; else fusermount3 -u "$MNT"; fi
        wait_for 60 is_gone "$DAEMON"
        wait "$DAEMON" || status=$?
        DAEMON=
        [ $status = 0 ] || fail "the daemon ended with status $status after the unmount: $(tail -5 "$LOG")"
        is_not_mounted "$MNT" || fail "still mounted"
        no_reports
}

no_reports() {
        local report
        for report in "$SAN"/*; do
                [ -s "$report" ] || continue
                cat "$report" >&2
                fail "a sanitizer reported"
        done
}

# The daemon must have survived whatever the case did to it.
still_serves() {
        if is_gone "$DAEMON" 2>/dev/null; then
                tail -20 "$LOG" >&2
                fail "the daemon is gone"
        fi
        timeout 20 stat "$MNT" >/dev/null || fail "the mount does not answer"
}

# ---- an ordinary user ------------------------------------------------------------------------------------------

# The prefix of a command, for when its process id is wanted.
AS_USER=(env "HOME=$T")
if is_root; then
        AS_USER=(setpriv --reuid 65534 --regid 65534 --clear-groups -- "${AS_USER[@]}")
fi

as_user() {
        "${AS_USER[@]}" "$@"
}

# The checkout may lie where an ordinary user does not get: copies that he can run.
reachable_programs() {
        cp "$LITESNAPFS" "$T/litesnapfs"
        cp "$TORTURE_WRITER" "$TORTURE_READER" "$T"
        LITESNAPFS=$T/litesnapfs
        TORTURE_WRITER=$T/torture-writer
        TORTURE_READER=$T/torture-reader
}

# From here on mount_fs mounts as an ordinary user. /dev/fuse may be root's: in our own mount namespace every user
# gets a node that he may open.
mount_as_user() {
        local numbers
        is_root || return 0
        [ -n "${CASE_NAMESPACE:-}" ] || skip "no private mount namespace for a mount by an ordinary user"
        numbers=$(stat -c '0x%t 0x%T' /dev/fuse)
        # shellcheck disable=SC2086 # two numbers
        mknod -m 666 "$T/fuse" c $numbers
        mount --bind "$T/fuse" /dev/fuse
        reachable_programs
        chown 65534:65534 "$MNT" "$SNAP" "$LOG"
        AS=("${AS_USER[@]}" "${AS[@]}")
}

unmount_as_user() {
        local status=0
        as_user fusermount3 -u "$MNT"
        wait_for 60 is_gone "$DAEMON"
        wait "$DAEMON" || status=$?
        DAEMON=
        [ $status = 0 ] || fail "the user's daemon ended with status $status: $(tail -5 "$LOG")"
        no_reports
}

# ---- writers --------------------------------------------------------------------------------------------------

# start_writer DB [OPTION...]: returns once every writer has committed; stop_writer demands that none met an error.
start_writer() {
        local db=$1
        shift
        rm -f "$T/ready"
        "$TORTURE_WRITER" --db "$db" --record "$T/record" --ready "$T/ready" "$@" >"$T/writer.out" 2>&1 &
        WRITER=$!
        wait_for 60 test -e "$T/ready"
}

stop_writer() {
        local status=0
        kill -TERM "$WRITER"
        wait "$WRITER" || status=$?
        WRITER=
        cat "$T/writer.out"
        [ $status = 0 ] || fail "a writer failed or met SQLITE_BUSY"
}

torture_reader() {
        "$TORTURE_READER" --record "$T/record" "$@"
}

# ---- looking ---------------------------------------------------------------------------------------------------

# Every name below a directory with all that promise P6 covers: type, size, mode, owner, mtime, ctime, sha256.
fingerprint() {
        "$PYTHON" "$TOOLS/fingerprint.py" "$1"
}

sha() {
        sha256sum <"$1" | cut -d' ' -f1
}

equal() {
        [ "$1" = "$2" ] || fail "$3: '$1' is not '$2'"
}

# refused TEXT COMMAND...: the command must fail, and say why in these words (strerror's).
refused() {
        local why=$1 said
        shift
        if said=$(LC_ALL=C "$@" 2>&1 >/dev/null); then
                fail "was not refused: $*"
        fi
        case $said in
        *"$why"*) ;;
        *) fail "refused in other words than '$why': $* said '$said'" ;;
        esac
}

# logged COUNT PATTERN...: so many lines of the daemon's log match all the patterns.
logged() {
        local count=$1 lines pattern
        shift
        lines=$(cat "$LOG")
        for pattern in "$@"; do
                lines=$(grep -Ei -- "$pattern" <<<"$lines" || true)
        done
        [ "$(grep -c . <<<"$lines" || true)" = "$count" ] || {
                cat "$LOG" >&2
                fail "wanted $count log lines like '$*'"
        }
}

# The daemon's memory: peak, in KiB.
peak_rss() {
        awk '/^VmHWM/ { print $2 }' "/proc/$DAEMON/status"
}

descriptors() {
        find "/proc/$DAEMON/fd" -mindepth 1 | wc -l
}

# Patient: in rollback mode the mount may hold a lock for a moment after a reader has closed.
sql() {
        sqlite3 -batch -bail -cmd '.timeout 60000' "$@"
}

# start_job NAME COMMAND...: in the background, status to $T/NAME.status, output to $T/NAME.out.
start_job() {
        local name=$1
        shift
        rm -f "$T/$name.status"
        (
                trap - ERR EXIT
                set +e
                "$@" >"$T/$name.out" 2>&1
                echo $? >"$T/$name.status.new"
                mv "$T/$name.status.new" "$T/$name.status"
        ) &
        OTHERS+=($!)
}

job_runs() {
        [ ! -e "$T/$1.status" ]
}

# finish_job NAME [SECONDS]: waits for its end and demands status 0.
finish_job() {
        wait_for "${2:-120}" test -e "$T/$1.status"
        if [ "$(cat "$T/$1.status")" != 0 ]; then
                tail -20 "$T/$1.out" >&2
                fail "job $1 ended with status $(cat "$T/$1.status")"
        fi
}

# ---- the end ----------------------------------------------------------------------------------------------------

# A bind mount is of the same file system as what it shows: rm would go through it and empty that.
all_unmounted() {
        local mount
        while read -r mount; do
                umount -l "$mount" 2>/dev/null
        done < <(awk -v below="$T/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac)
        ! awk '{ print $5 }' /proc/self/mountinfo | grep -Fq "$T/"
}

case_end() {
        local status=$? report pid mount
        trap - EXIT ERR
        set +e
        for pid in "$WRITER" "${OTHERS[@]}"; do
                [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
        done
        for mount in "${MOUNTS[@]}"; do
                if is_mounted "$mount"; then
                        umount -l "$mount" 2>/dev/null || fusermount3 -u -z "$mount"
                fi
        done
        if [ -n "$DAEMON" ]; then
                # With the mount gone it ends by itself; a leak is only reported by a daemon that ends that way.
                timeout 20 tail --pid="$DAEMON" -f /dev/null
                kill -KILL "$DAEMON" 2>/dev/null
                wait "$DAEMON" 2>/dev/null
        fi
        for report in "$SAN"/*; do
                if [ -s "$report" ]; then
                        cat "$report" >&2
                        [ $status != 0 ] || status=1
                fi
        done
        if [ $status != 0 ] && [ $status != 77 ]; then
                printf '%s\n' '--- the log of litesnapfs' >&2
                tail -30 "$LOG" >&2
        fi
        if [ -n "${CASE_KEEP:-}" ]; then
                echo "kept: $T"
        elif all_unmounted; then
                rm -rf --one-file-system "$T"
        else
                echo "kept, since something is still mounted there: $T"
        fi
        exit $status
}
trap case_end EXIT
trap 'exit 143' TERM INT
