# Builds of the working tree; see scripts/test for what each is for.
# shellcheck shell=bash

# The python of meson is Debian's, whatever else PATH holds.
meson=/usr/bin/meson
command -v "$meson" >/dev/null || meson=meson

# build_configure DIRECTORY [OPTION...]: once; later calls keep what is there.
build_configure() {
        local directory=$1
        shift
        [ -e "$directory/build.ninja" ] || "$meson" setup "$directory" "$@" >"$directory.log" 2>&1 || {
                cat "$directory.log" >&2
                return 1
        }
        rm -f "$directory.log"
}

# build_ninja DIRECTORY [TARGET...]: quiet unless it fails.
build_ninja() {
        local output
        output=$(ninja -C "$@" 2>&1) || {
                printf '%s\n' "$output" >&2
                return 1
        }
}
