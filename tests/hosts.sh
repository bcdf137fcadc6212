#!/bin/bash
# Runs the tests on booted hosts with the package named as $1: all, or those whose names contain one
# of the words that follow. Hosts are whole systems on a machine that may be busy: what failed is run
# once more, by itself, and the output says so. What fails then has failed.
set -euo pipefail

export STINT_TEST_DEB=$1
shift
said=$(mktemp)
trap 'rm -f "$said"' EXIT
run() {
    cargo test --locked --package stint-tests --features hosts --test hosts -- "$@"
}

if run --test-threads=4 "$@" | tee "$said"; then
    exit 0
fi
mapfile -t failed < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$said")
if [ "${#failed[@]}" = 0 ]; then
    echo "hosts.sh: the tests did not come to an end" >&2
    exit 1
fi
echo "hosts.sh: once more, by itself: ${failed[*]}"
run --exact --test-threads=1 "${failed[@]}"
