#!/usr/bin/env bash
# P1, P2: copies of a live database are right while all kinds of checkpoints, WAL resets, VACUUM, schema changes, a shrinking
# file, switches of the journal mode, close and reopen, and crashes happen during open and copy. No writer meets an error.
# Usage: ...sh WHAT
. "$(dirname "$0")/../lib.sh"

what=$1
snapshots=$(scaled "${SNAPSHOTS:-80}")
mount_fs -o busy_timeout=120000,linger=0

# copies DB [READER-OPTION...] -- [WRITER-OPTION...]: the mount's answers while that application runs.
copies() {
        local db=$1 reader=() status=0
        shift
        while [ "$1" != -- ]; do reader+=("$1") && shift; done
        shift
        rm -f "$T/ready"
        "$PYTHON" "$TOOLS/state-writer.py" "$@" "$SRC/$db" "$T/record" "$T/ready" >"$T/writer.out" 2>&1 &
        WRITER=$!
        wait_for 60 test -e "$T/ready"
        "$PYTHON" "$TOOLS/state-reader.py" --snapshots "$snapshots" --seed 2 "${reader[@]}" "$MNT/$db" "$T/record" &
        OTHERS+=($!)
        "$PYTHON" "$TOOLS/state-reader.py" --snapshots "$snapshots" "${reader[@]}" "$MNT/$db" "$T/record" || status=$?
        wait "${OTHERS[-1]}" || status=$?
        unset 'OTHERS[-1]'
        stop_writer
        [ $status = 0 ] || fail "$db: $*"
        still_serves
}

case $what in
checkpoints) copies "$what.db" -- --do checkpoint --often 0.3 ;;
vacuum) copies "$what.db" -- --do vacuum,checkpoint,schema --often 0.3 ;;
shrink) copies "$what.db" -- --do shrink,checkpoint --often 0.3 --auto-vacuum 2 ;;
shrink-full) copies "$what.db" -- --do shrink --often 0.3 --auto-vacuum 1 --journal delete ;;
switch) copies "$what.db" -- --do switch,pause --often 0.5 ;;
reopen) copies "$what.db" -- --do reopen,reopen,reopen,pause,checkpoint --often 0.7 ;;
crash) copies "$what.db" -- --do crash,checkpoint,reopen --often 0.2 ;;
crash-delete) copies "$what.db" -- --do crash,vacuum,reopen --often 0.1 --journal delete ;;
crash-persist) copies "$what.db" -- --do crash,reopen --often 0.1 --journal persist ;;
all) copies "$what.db" -- --do checkpoint,vacuum,schema,shrink,switch,reopen,crash,pause --often 0.3 --auto-vacuum 2 ;;
*) fail "what is $what?" ;;
esac
unmount_fs
