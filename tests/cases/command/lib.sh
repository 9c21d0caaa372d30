# What the cases of litesnap lean on. Sourced after ../lib.sh.
# shellcheck shell=bash

: "${LITESNAP:?the program to test}"

litesnap() {
        "${AS[@]}" "$LITESNAP" "$@"
}

# exits STATUS COMMAND...: demands that exit status; what was said is in $T/out and $T/err.
exits() {
        local want=$1 status=0
        shift
        "$@" >"$T/out" 2>"$T/err" || status=$?
        [ "$status" = "$want" ] || {
                cat "$T/out" "$T/err" >&2
                fail "ended with status $status, not $want: $*"
        }
}

# said TEXT...: the last command that exits() ran said all these on stderr.
said() {
        local text
        for text in "$@"; do
                grep -qF -- "$text" "$T/err" || fail "did not say '$text' but: $(cat "$T/err")"
        done
}

# make_state STATE DB: a database in one of the states of state-make.py.
make_state() {
        "$PYTHON" "$TOOLS/state-make.py" "$1" "$2"
}

# hold_state STATE DB: the same, held by a process until the end of the case, or until it is killed: $HOLDER.
hold_state() {
        rm -f "$T/held"
        "$PYTHON" "$TOOLS/state-make.py" "$1" "$2" "$T/held" &
        HOLDER=$!
        OTHERS+=("$HOLDER")
        wait_for 30 test -e "$T/held"
}

no_drafts() {
        equal "$(find "$1" -name '.litesnap-*')" '' 'temporary files left behind'
}
