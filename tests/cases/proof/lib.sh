# What the cases of proofs share. Sourced after ../lib.sh.
# shellcheck shell=bash

# prove ARGUMENT...: runs the Python program on stdin, which imports from tools/proofs.py.
prove() {
        SRC=$SRC MNT=$MNT SNAP=$SNAP DAEMON=$DAEMON T=$T LOG=$LOG PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1 "$PYTHON" - "$@"
}

# unmount_at_end PATH: case_end can only remove what is not mounted any more.
unmount_at_end() {
        UNMOUNTED+=("$1")
        trap proof_end EXIT
}
UNMOUNTED=()

proof_end() {
        local status=$? path
        trap - ERR
        set +e
        for path in "${UNMOUNTED[@]}"; do
                umount -l "$path" 2>/dev/null
        done
        (exit "$status")
        case_end
}
