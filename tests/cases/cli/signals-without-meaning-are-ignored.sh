#!/usr/bin/env bash
# Signals that mean nothing to a file system do not end it.
. "$(dirname "$0")/../lib.sh"

echo text >"$SRC/file"
mount_fs
for signal in USR1 USR2 ALRM VTALRM PROF IO PWR XFSZ STKFLT TTIN TTOU URG WINCH PIPE CONT CHLD RTMIN RTMIN+5 RTMAX; do
        kill -s "$signal" "$DAEMON"
        equal "$(timeout 30 cat "$MNT/file")" text "after SIG$signal"
        still_serves
done
unmount_fs
