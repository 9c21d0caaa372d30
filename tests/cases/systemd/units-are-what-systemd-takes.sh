#!/usr/bin/env bash
# The units of scripts/systemd are what systemd understands, the service is closed as far as a mount allows, and the commands in them do
# what they are for. No systemd is started: it would act on the machine.
. "$(dirname "$0")/../lib.sh"

command -v systemd-analyze >"$T/null" || skip 'no systemd-analyze'
mkdir "$T/units"
cp "$UNITS/litesnapfs@.service" "$CASES"/../../scripts/systemd/*.{service,timer,mount,automount} "$T/units"
sed -i "s|^ExecStart=[^ ]*/litesnapfs|ExecStart=$LITESNAPFS|" "$T/units"/*.service
cp "$T/units/litesnapfs@.service" "$T/units/litesnapfs@srv-apps.service"
for unit in litesnapfs@srv-apps.service litesnapfs-borg.service litesnapfs-borg.timer mnt-apps.mount mnt-apps.automount; do
        # What it says of the machine's own units is none of our business.
        said=$(SYSTEMD_UNIT_PATH="$T/units:" systemd-analyze --man=no verify "$T/units/$unit" 2>&1 | grep -F "$unit" || true)
        equal "$said" '' "systemd-analyze verify of $unit"
done
# That it would notice.
sed 's/^Type=notify/Type=nonsense/' "$T/units/litesnapfs@.service" >"$T/units/litesnapfs@broken.service"
systemd-analyze --man=no verify "$T/units/litesnapfs@broken.service" 2>&1 | grep -q nonsense || fail 'systemd-analyze takes anything'
# From 0 to 100; the worst is 96.
systemd-analyze --man=no --offline=true --threshold=50 security "$T/units/litesnapfs@.service" >"$T/security" ||
        fail "exposed: $(tail -1 "$T/security")"
# Any of these would hide the mirror in a mount namespace of the service's own.
if grep -E '^(Private(Tmp|Devices|Mounts|IPC)|Protect(System|Home|Kernel.*|Control.*|Proc)|ReadOnly.*|Bind.*|RootDirectory|TemporaryFileSystem)=' \
        "$T/units/litesnapfs@.service"; then
        fail 'the mirror would be seen by nobody'
fi

# The command of the nightly backup, with a repository that a case can have.
if is_root && [ -n "${CASE_NAMESPACE:-}" ] && is_plain; then
        mount -t tmpfs none /srv
        mkdir /srv/apps
        sql /srv/apps/app.db 'PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)' >"$T/null"
        : >/srv/apps/app.db-wal
        export BORG_REPO=$T/repo BORG_BASE_DIR=$T/borg BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes
        borg init -e none
        eval "$(sed -n 's/^Environment=//p' "$T/units/litesnapfs-borg.service" | xargs -n 1 printf 'declare %q\n')"
        # shellcheck disable=SC2154 # OPTIONS and SOURCES come from the unit
        for line in ExecStart ExecStartPost; do
                command=$(sed -n "s/^$line=//p" "$T/units/litesnapfs-borg.service")
                # As systemd does it: a variable alone is split into words, nothing else is expanded.
                read -r -a words <<<"${command//\$OPTIONS/$OPTIONS}"
                words=("${words[@]/\$SOURCES/$SOURCES}")
                timeout 120 "${words[@]}" >"$T/backup" 2>&1 || fail "$line: status $?: $(cat "$T/backup")"
        done
        equal "$(borg list --short "::$(borg list --short --last 1)" | tr '\n' ' ')" 'srv/apps srv/apps/app.db ' 'the archive'
fi
