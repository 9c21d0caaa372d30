#!/usr/bin/env bash
# status shows what the root of a mount says in its attributes, in lines and as JSON; the metrics come into their file whole, for others
# to read; and what does not answer is said there, too. A directory with such attributes plays the mount.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/lib.sh"

answer='{"version":"0.1.0","source":"/srv/\"a\"","engine":"auto","since":"2026-01-02T03:04:05Z","served":12,
 "refused":{"busy":2,"corrupt":0},"last_refused":[{"when":"2026-01-02T04:00:00Z","path":"/srv/b.db","cause":"busy"}],"copies":3,
 "copied_bytes":3221225472,"room":{"in_use_bytes":1048576,"largest_bytes":1500,"limit_bytes":0},"longest_wait_seconds":1.25,
 "pins":{"held":1,"oldest_seconds":0.5}}'
metrics=$'# HELP litesnapfs_served_total x\n# TYPE litesnapfs_served_total counter\nlitesnapfs_served_total 12\n'
"$PYTHON" - "$MNT" "$answer" "$metrics" <<'EOF' || skip 'no extended attributes here'
import os, sys
os.setxattr(sys.argv[1], "user.litesnapfs.status", sys.argv[2].encode())
os.setxattr(sys.argv[1], "user.litesnapfs.metrics", sys.argv[3].encode())
EOF

exits 0 litesnap status "$MNT"
cat >"$T/wanted" <<EOF
$MNT
  version: 0.1.0
  source: /srv/"a"
  engine: auto
  since: 2026-01-02T03:04:05Z
  served: 12
  refused:
    busy: 2
    corrupt: 0
  last refused:
      when: 2026-01-02T04:00:00Z
      path: /srv/b.db
      cause: busy
  copies: 3
  copied bytes: 3.0 GiB
  room:
    in use bytes: 1.0 MiB
    largest bytes: 1.5 KiB
    limit bytes: 0 B
  longest wait seconds: 1.25 s
  pins:
    held: 1
    oldest seconds: 0.5 s
EOF
diff "$T/wanted" "$T/out" || fail 'the lines'
exits 0 litesnap status --json "$MNT"
equal "$(cat "$T/out")" "$answer" 'the JSON'

echo old >"$T/metrics.prom"
exits 0 litesnap status --prometheus="$T/metrics.prom" "$MNT"
equal "$(grep -v '^#' "$T/metrics.prom")" $'litesnapfs_up 1\nlitesnapfs_served_total 12' 'the metrics'
equal "$(stat -c %a "$T/metrics.prom")" 644 'the mode of the metrics'
! command -v promtool >/dev/null || promtool check metrics <"$T/metrics.prom" || fail 'promtool complains'
exits 6 litesnap status --prometheus="$T/metrics.prom" "$SRC"
said "$SRC: is no mount of litesnapfs"
equal "$(grep -v '^#' "$T/metrics.prom")" 'litesnapfs_up 0' 'the metrics of what does not answer'
no_drafts "$T"
exits 3 litesnap status --prometheus="$T/none/metrics.prom" "$MNT"
exits 3 litesnap status "$T/none"
exits 2 litesnap status "$MNT" "$SRC"

# All the mounts there are; one whose daemon is gone.
if is_root; then
        mkdir "$T/mount with blanks"
        MNT="$T/mount with blanks"
        MOUNTS+=("$MNT")
        "${AS[@]}" "$LITESNAPFS" -f -o "snapshot_dir=$SNAP" "$SRC" "$MNT" >>"$LOG" 2>&1 &
        DAEMON=$!
        wait_for 30 grep -q 'mount\\040with\\040blanks .* - fuse' /proc/self/mountinfo
        litesnap status >"$T/out" 2>"$T/err" || true
        grep -q "^$MNT\$\|litesnap: $MNT: is no mount" "$T/out" "$T/err" || fail "the mount was not found: $(cat "$T/err")"
        kill -KILL "$DAEMON"
        wait "$DAEMON" 2>/dev/null || true
        DAEMON=
        exits 3 litesnap status "$MNT"
        said "$MNT: the mount is dead"
        umount -l "$MNT"
fi
