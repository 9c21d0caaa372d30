# Installs what is missing of Debian's packages. The only place where packages are named.
# shellcheck shell=bash disable=SC2034

# To build and mount (scripts/run).
packages_run=(gcc libc6-dev meson ninja-build pkg-config libfuse3-dev libsqlite3-dev fuse3)
# More, for the demonstration (scripts/run without arguments).
packages_demonstration=(sqlite3 rsync)
# More, for the tests (scripts/test, scripts/soak).
packages_test=(sqlite3 rsync tar attr acl clang shellcheck python3 util-linux procps e2fsprogs borgbackup restic mc file less
        inotify-tools squashfs-tools xfsprogs btrfs-progs bindfs spin strace mandoc bsdutils
        systemd sshfs openssh-sftp-server zsh)

packages_missing() {
        local package
        for package in "$@"; do
                case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
                ii* | hi*) ;;
                *) echo "$package" ;;
                esac
        done
}

# packages_ensure PACKAGE...: says what it installs and needs root or sudo for that, but only if something is missing.
packages_ensure() {
        local missing become=()
        if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
                echo "This is no Debian: make sure by yourself that these are there: $*" >&2
                return 0
        fi
        mapfile -t missing < <(packages_missing "$@")
        [ ${#missing[@]} -gt 0 ] || return 0
        if [ "$(id -u)" != 0 ]; then
                if ! command -v sudo >/dev/null; then
                        echo "Missing packages: ${missing[*]}" >&2
                        echo "Installing them needs root, or sudo, which is not there. As root, run:" >&2
                        echo "    apt-get install ${missing[*]}" >&2
                        return 1
                fi
                become=(sudo)
                echo "Installing as root (sudo may ask for your password): ${missing[*]}" >&2
        else
                echo "Installing: ${missing[*]}" >&2
        fi
        "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q update >&2 &&
                "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
                        apt-get -q install -y --no-install-recommends "${missing[@]}" >&2
}
