# What the package scripts share; sourced, never run. The caller has set $top to the repository.

# Where cargo builds, as an absolute path; relative ones count from where the caller stands.
stint_target() {
    case "${CARGO_TARGET_DIR:-}" in
        '') echo "$top/target" ;;
        /*) echo "$CARGO_TARGET_DIR" ;;
        *) echo "$PWD/$CARGO_TARGET_DIR" ;;
    esac
}

# Builds the programs and says where they are. The module has a profile of its own; stint-run is built
# by itself: built together with the daemon it would get the daemon's features of the crates that they
# share, and be twice as big. With STINT_BUILT set, what lies in that folder is taken instead.
stint_build() {
    if [ -n "${STINT_BUILT:-}" ]; then
        echo "$STINT_BUILT"
        return
    fi
    (
        cd "$top"
        # Paths of the building machine have no place in a package, and would make it differ.
        RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$top=stint"
        RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
        export RUSTFLAGS CARGO_TARGET_DIR="$1"
        cargo build --profile module --locked --package stint-pam
        cargo build --release --locked --package stint-run
        cargo build --release --locked --package stintd --package stint
        cargo build --release --locked --package stint-sync
        install -m 0644 "$1/module/libpam_stint.so" "$1/release/"
    ) >&2
    echo "$1/release"
}

# The version of the workspace, from its one place.
stint_version() {
    sed -n '/^\[workspace.package\]/,/^\[/ s/^version *= *"\(.*\)"/\1/p' "$top/Cargo.toml"
}

# The date of everything in a package: the last commit's, so that two builds of one commit are the
# same to the byte; the changelog's where there is no git.
stint_epoch() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    elif ! git -C "$top" log -1 --format=%ct 2>/dev/null; then
        date -u -d "$(sed -n '/^ -- /{s/.*>  //p;q}' "$top/packaging/deb/changelog")" +%s
    fi
}

# The crates of others that are linked into the programs, each with its licence, into this file.
stint_crates() {
    (cd "$top" && cargo tree --package stintd --package stint --package stint-pam --package stint-run \
        --package stint-sync --locked \
        --edges normal,no-proc-macro --prefix none --no-dedupe --format '{p} ({l})') >"$1.all"
    {
        echo "Crates linked into stint, stintd, stint-sync, stint-run and pam_stint.so, and their licences:"
        echo
        sed -e '/ (\//d' -e '/^$/d' "$1.all" | LC_ALL=C sort -u
    } >"$1"
}
