#!/usr/bin/env bash
# A source that lies on another host, by sshfs with its caches: its times, pages and locks are those of a while ago, so nothing proves a copy
# of what was written just now: EBUSY and a line that says where to run instead. What was not written for a minute is served, and
# ordinary files are.
. "$(dirname "$0")/../lib.sh"

need_root 'mounts sshfs'
server=/usr/lib/openssh/sftp-server
[ -x "$server" ] || server=/usr/lib/sftp-server
mkdir "$T/far"
for name in old new; do sql "$T/far/$name.db" 'CREATE TABLE t(x); INSERT INTO t VALUES(1)'; done
touch -d '-2 minutes' "$T/far/old.db"
echo text >"$T/far/file"
printf '#!/bin/sh\nexec %s\n' "$server" >"$T/ssh"
chmod +x "$T/ssh"
sshfs -o "ssh_command=$T/ssh" "far:$T/far" "$SRC"
MOUNTS+=("$SRC")
mount_fs -o busy_timeout=200
equal "$(sha "$MNT/old.db")" "$(sha "$T/far/old.db")" 'one that nobody has written to for a while'
refused 'Device or resource busy' cat "$MNT/new.db"
logged 1 new.db 'run litesnapfs on that host'
equal "$(cat "$MNT/file")" text 'an ordinary file'
unmount_fs
umount "$SRC"
