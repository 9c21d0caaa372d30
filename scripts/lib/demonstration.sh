#!/usr/bin/env bash
# The demonstration of scripts/run: a database that is written all the time, copied with plain cp and through the mount.
# Usage: demonstration.sh BUILD-DIRECTORY
set -euo pipefail

build=$1
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/litesnapfs-demonstration.XXXXXX")
writer=
mounted=

clean_up() {
        trap - EXIT INT TERM
        [ -z "$writer" ] || kill "$writer" 2>/dev/null || true
        if [ -n "$mounted" ]; then
                umount "$dir/mount" 2>/dev/null || fusermount3 -u -z "$dir/mount" || true
        fi
        [ -z "$writer" ] || wait "$writer" 2>/dev/null || true
        rm -rf --one-file-system "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wait_for() {
        local end=$((SECONDS + 30))
        until "$@"; do
                [ $SECONDS -lt $end ] || { echo "Waited in vain for: $*" >&2; return 1; }
                sleep 0.05
        done
}

# The number of transactions that the writer knows to be committed; see struct torture_record.
acknowledged() {
        od -An -t u8 -j 16 -N 8 "$dir/record" | tr -d ' '
}

# judge COPY ACKNOWLEDGED: says what is in the copy; false when anything is wrong with it.
judge() {
        local answer integrity first second third sum good=0
        if ! answer=$(sqlite3 -batch -bail "$1" "PRAGMA integrity_check(1); SELECT (SELECT seq FROM first),
                        (SELECT seq FROM second), (SELECT seq FROM third), (SELECT sum(balance) FROM accounts)" 2>&1); then
                echo "      SQLite cannot read it: $(head -1 <<<"$answer")"
                return 1
        fi
        integrity=$(sed '$d' <<<"$answer" | tail -1)
        IFS='|' read -r first second third sum < <(tail -1 <<<"$answer")
        if [ "$integrity" != ok ]; then
                echo "      damaged: $integrity"
                good=1
        fi
        if [ "$first" != "$second" ] || [ "$second" != "$third" ]; then
                echo "      torn: its three tables are of transactions $first, $second and $third"
                good=1
        fi
        if [ "$sum" != 400000 ]; then
                echo "      money is gone or made: the accounts hold $sum, not 400000"
                good=1
        fi
        if [ "$first" -lt "$2" ]; then
                echo "      stale: transaction $first, but $2 was committed before the copy began"
                good=1
        fi
        [ $good != 0 ] || echo "      good: whole, of one moment (transaction $first; $2 was the last before the copy began)"
        return $good
}

mkdir "$dir/source" "$dir/mount" "$dir/rsync" "$dir/raw"
"$build/tests/stress/torture-writer" --db "$dir/source/app.db" --record "$dir/record" --ready "$dir/ready" \
        --size 16M --writers 2 >/dev/null &
writer=$!
wait_for test -e "$dir/ready"
echo "Two processes commit to $dir/source/app.db without pause: each transaction stamps its"
echo "number into three tables and moves money between accounts that always hold 400000 together."
"$build/fs/litesnapfs" "$dir/source" "$dir/mount"
mounted=1
echo "litesnapfs shows that directory at $dir/mount:"
find "$dir/source" -type f -printf '      source: %f, %s bytes\n' | sort
find "$dir/mount" -type f -printf '      mount:  %f, %s bytes\n' | sort
echo

good=0 raw_bad=0 rounds=5
for round in $(seq $rounds); do
        echo "Round $round"
        before=$(acknowledged)
        cp "$dir/source/app.db" "$dir/raw/app.db"
        echo "   cp of the raw file:"
        judge "$dir/raw/app.db" "$before" || raw_bad=$((raw_bad + 1))
        before=$(acknowledged)
        rsync -a "$dir/mount/" "$dir/rsync/"
        echo "   rsync of the mount:"
        if judge "$dir/rsync/app.db" "$before"; then good=$((good + 1)); fi
        rm -f "$dir"/raw/* "$dir"/rsync/*
done
kill "$writer"
wait "$writer" || { echo "The writers met an error."; good=0; }
writer=
echo
echo "Of $rounds plain copies $raw_bad were bad; of $rounds copies through litesnapfs $((rounds - good)) were."
echo "The writers were never stopped and made $(acknowledged) transactions."
[ $good = $rounds ]
