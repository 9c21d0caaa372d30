#!/usr/bin/env bash
# Promise 9: who looks up a file of his own and then gives its name to one that he may not read does not get that one: not by the
# name, and not by the descriptor of what he looked up; neither a database nor an ordinary file, long or short.
. "$(dirname "$0")/../lib.sh"

need_root 'acts as two users'
mkdir "$SRC/home"
sql "$SRC/home/secret.db" "CREATE TABLE t(x); INSERT INTO t VALUES('TOPSECRET')"
sql "$SRC/home/own.db" "CREATE TABLE t(x); INSERT INTO t VALUES('mine')"
seq 1 2000 >"$SRC/home/own"
{ echo TOPSECRET && seq 1 2000; } >"$SRC/home/secret"
echo own >"$SRC/home/own.short"
echo TOPSECRET >"$SRC/home/secret.short"
chown 65534:65534 "$SRC/home" "$SRC"/home/own*
chmod 600 "$SRC"/home/secret*
cp "$TOOLS/exchange.py" "$T"
for options in passthrough=auto passthrough=off; do
        mount_fs -o "$options"
        for kind in '.db' '' '.short'; do
                refused 'Permission denied' as_user cat "$MNT/home/secret$kind"
                found=$(as_user "$PYTHON" "$T/exchange.py" "$SRC/home" "$MNT/home" "own$kind" "secret$kind" 20)
                say "$options own$kind: $found"
                equal "${found%% *}" 0 "opens of own$kind that gave the secret"
                case $found in
                *ENOENT* | *EIO*) fail "refused by another errno: $found" ;;
                esac
        done
        # The one may be a database and the other not.
        for pair in 'own.db secret' 'own secret.db'; do
                # shellcheck disable=SC2086 # two names
                found=$(as_user "$PYTHON" "$T/exchange.py" "$SRC/home" "$MNT/home" $pair 20)
                equal "${found%% *}" 0 "opens over $pair that gave the secret"
        done
        as_user cmp "$MNT/home/own" "$SRC/home/own"
        unmount_fs
done
