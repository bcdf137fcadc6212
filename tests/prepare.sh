#!/bin/sh
# Sees to it that what a target of the Makefile needs is there: on Debian, as root, it installs
# what is missing from Debian's packages; else it says what is missing. It says nothing, and
# touches nothing, when all is there.
# Usage: tests/prepare.sh [build] [hosts] [browser] [lint] [bench] [rpm]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
wanted=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$here/../Cargo.toml" | head -n 1)
[ -d "${HOME:-/root}/.cargo/bin" ] && PATH="$PATH:${HOME:-/root}/.cargo/bin"

fail() {
    echo "prepare.sh: $*" >&2
    exit 1
}

packages_of() {
    case "$1" in
        build) echo "ca-certificates dpkg-dev gcc git libc6-dev libpam0g-dev libprotobuf-dev make protobuf-compiler sudo" ;;
        hosts) echo "debian-archive-keyring iproute2 mmdebstrap systemd-container util-linux" ;;
        browser) echo "chromium fonts-dejavu-core" ;;
        lint) echo "lintian" ;;
        bench) echo "gcc libc6-dev libpam0g-dev libsystemd-dev sqlite3" ;;
        rpm) echo "rpm" ;;
        *) fail "$1 is none of: build, hosts, browser, lint, bench, rpm" ;;
    esac
}

installed() {
    [ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

updated=no
update() {
    [ "$updated" = yes ] || apt-get update -q
    updated=yes
}

# The version that apt would install, without epoch and revision; empty if there is none.
candidate() {
    apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *\([0-9][0-9.]*\).*/\1/p'
}

# Whether version $1 is $2 or later.
reaches() {
    [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

install() {
    echo "prepare.sh: installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

rust_version() {
    command -v cargo >/dev/null 2>&1 || return 0
    rustc --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'
}

rust_is_there() {
    reaches "$(rust_version)" "$wanted"
}

# Debian 12 has a current Rust beside its old one, as the packages that end in -web; Debian 13 has
# rustup.
install_rust() {
    update
    if command -v rustup >/dev/null 2>&1; then
        rustup toolchain install stable --profile minimal --component clippy --component rustfmt
        rustup default stable
    elif reaches "$(candidate cargo)" "$wanted"; then
        install cargo rustc rust-clippy rustfmt
    elif reaches "$(candidate cargo-web)" "$wanted"; then
        install cargo-web rustc-web rust-web-clippy rustfmt-web
    elif [ -n "$(candidate rustup)" ]; then
        install rustup
        rustup default stable
    fi
    rust_is_there || fail "Rust $wanted or later is needed, this is ${found:-none}, and Debian's" \
        "packages here have no newer one. Install it with rustup, then try again."
}

missing=
for group in "$@"; do
    for package in $(packages_of "$group"); do
        case " $missing " in *" $package "*) continue ;; esac
        installed "$package" || missing="$missing $package"
    done
done
found=$(rust_version)

if [ -n "$missing" ] || ! rust_is_there; then
    command -v apt-get >/dev/null 2>&1 ||
        fail "this is no Debian: see to it that these are there, under its names for them:" \
            "Rust $wanted or later$missing"
    if [ "$(id -u)" != 0 ]; then
        rust_is_there || missing="$missing, and Rust $wanted or later (here: ${found:-none})"
        fail "missing:$missing. As root, make deps installs what is missing."
    fi
    if [ -n "$missing" ]; then
        update
        # One word a package.
        # shellcheck disable=SC2086
        install $missing
    fi
    rust_is_there || install_rust
fi
