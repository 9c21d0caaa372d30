#!/usr/bin/env bash
# Rounds of the consistency test with random parameters; see scripts/soak.
# Usage: soak.sh MINUTES [SEED]
. "$(dirname "$0")/../cases/lib.sh"

minutes=$1
seed=${2:-$(od -An -N 4 -t u4 /dev/urandom | tr -d ' ')}
end=$((SECONDS + minutes * 60))
rounds=0

pick() {
        local choices=("$@")
        echo "${choices[RANDOM % $#]}"
}

mount_fs -o busy_timeout=60000
while [ $SECONDS -lt $end ]; do
        RANDOM=$seed
        options=(--journal "$(pick wal wal delete truncate persist)" --page-size "$(pick 512 1024 4096 16384 65536)"
                --size "$(pick 100K 1M 8M 64M)" --writers "$(pick 1 2 3 5)" --seed "$seed"
                --checkpoint "$(pick 0 5 50 500)" --vacuum "$(pick 0 0 5)" --reopen "$(pick 0 2 50)"
                --auto-vacuum "$(pick 0 1 2)")
        readers=$(pick 1 2 4)
        say "seed $seed: ${options[*]}, readers $readers"
        start_writer "$SRC/soak.db" "${options[@]}"
        torture_reader --path "$MNT/soak.db" --snapshots 1000000 --seconds 20 --readers "$readers" --seed "$seed"
        stop_writer
        rm -f "$SRC"/soak.db*
        still_serves
        say "peak RSS $(peak_rss) KiB, descriptors $(descriptors)"
        rounds=$((rounds + 1))
        seed=$((seed + 1))
done
unmount_fs
echo "$rounds rounds, no bad copy"
