#!/usr/bin/env bash
# With NOTIFY_SOCKET in its environment it says READY=1 there when the mount serves, not before, in the foreground and in the background, to a socket
# with a name in the file system and to an abstract one; and not at all when it cannot mount. Nobody at the socket is no obstacle.
. "$(dirname "$0")/../lib.sh"

echo text >"$SRC/file"
cat >"$T/manager.py" <<'END'
import os, socket, subprocess, sys
address, mount, *command = sys.argv[1:]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind("\0" + address[1:] if address[0] == "@" else address)
if address[0] != "@":
    os.chmod(address, 0o777)
program = subprocess.Popen(command, env=dict(os.environ, NOTIFY_SOCKET=address), stdout=subprocess.DEVNULL)
manager.settimeout(5 if mount == "-" else 60)
try:
    said = dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())
except TimeoutError:
    sys.exit("nothing was said")
assert said["READY"] == "1", said
# At once, without waiting.
assert open(os.path.join(mount, "file")).read() == "text\n"
if program.poll() is None and "-f" in command:
    assert int(said["MAINPID"]) == program.pid, said
assert os.path.exists(f"/proc/{said['MAINPID']}"), said
print(said["MAINPID"])
END
for address in "$T/socket" "@litesnapfs-$$"; do
        for mode in -f -olinger=1; do
                rm -f "$T/socket"
                DAEMON=$("$PYTHON" "$T/manager.py" "$address" "$MNT" "${AS[@]}" "$LITESNAPFS" "$mode" "$SRC" "$MNT" 2>>"$LOG") ||
                        fail "with $mode at $address: $(tail -3 "$LOG")"
                umount "$MNT" 2>"$T/null" || fusermount3 -u "$MNT"
                wait_for 60 is_gone "$DAEMON"
                DAEMON=
        done
done
rm -f "$T/socket"
refused 'nothing was said' "$PYTHON" "$T/manager.py" "$T/socket" - "${AS[@]}" "$LITESNAPFS" -f "$T/nowhere" "$MNT"
for address in "$T/nobody" nonsense ''; do
        AS=(env "NOTIFY_SOCKET=$address" "${AS[@]}")
        mount_fs
        unmount_fs
done
no_reports
