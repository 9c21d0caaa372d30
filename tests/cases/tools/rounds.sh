#!/usr/bin/env bash
# P4 with the real tools: rounds of {commits at random moments, also in the second of a run and during it, of the same size,
# with and without checkpoints and restarts of the application; the tool's incremental backup}. No commit is missed, no
# database is read that did not change, and a run on a quiet tree transfers nothing, also after a remount and after kill -9.
# Usage: rounds.sh rsync|cp|tar|borg|restic [smudge|wait|off] [--rounds N] [--seed S]
# With the environment that meson gives: tests/cases/tools/rounds.sh borg --rounds 200
. "$(dirname "$0")/../lib.sh"

tool=$1
shift
racy=smudge
case ${1:-} in
smudge | wait | off)
        racy=$1
        shift
        ;;
esac
command -v "$tool" >/dev/null || skip "$tool is not installed"
# restic is long about each run: its key is to cost an attacker time.
rounds=10
[ "$tool" != restic ] || rounds=8
mkdir "$T/work"
rounds() {
        local what=$1
        shift
        "$PYTHON" "$TOOLS/tool-rounds.py" "$tool" "$what" "$SRC" "$MNT" "$T/work" "$@"
}
quiet() {
        rounds quiet || fail "$1: not quiet; before that: $(cat "$T/rounds.out")"
}
is_quiet() {
        grep -qx quiet "$T/rounds.out" || ! job_runs rounds
}

mount_fs -o "racy=$racy"
start_job rounds rounds rounds --rounds "$(scaled $rounds)" "$@"
wait_for 3600 is_quiet
if job_runs rounds; then
        quiet "the second run"
        unmount_fs
        mount_fs -o "racy=$racy"
        quiet "after a remount"
        kill -KILL "$DAEMON"
        wait "$DAEMON" 2>/dev/null || true
        umount -l "$MNT"
        mount_fs -o "racy=$racy"
        quiet "after kill -9"
fi
touch "$T/work/done"
wait_for 60 test -e "$T/rounds.status"
cat "$T/rounds.out"
finish_job rounds
unmount_fs
