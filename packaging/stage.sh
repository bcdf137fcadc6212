#!/bin/sh
# Lays every file of stint out below DESTDIR as it lies on a host. One list of files for the deb,
# the rpm and an installation from source. Builds nothing, and touches nothing outside DESTDIR.
set -eu

usage() {
    cat <<'EOF'
Usage: packaging/stage.sh DESTDIR BUILT MODULE_DIR [ZSH_DIR]
  DESTDIR     where the tree is laid out; "/" installs on this host
  BUILT       the folder with stint, stintd, stint-sync, stint-run and libpam_stint.so, as
              "make build" leaves them
  MODULE_DIR  the distribution's folder of PAM modules, such as /usr/lib64/security
  ZSH_DIR     where zsh finds completions (/usr/share/zsh/vendor-completions)
EOF
}

if [ $# -lt 3 ]; then
    usage >&2
    exit 2
fi
dest=${1%/}
built=$2
module_dir=$3
zsh_dir=${4:-/usr/share/zsh/vendor-completions}
here=$(cd "$(dirname "$0")" && pwd)

for file in stint stintd stint-sync stint-run libpam_stint.so; do
    if [ ! -f "$built/$file" ]; then
        echo "stage.sh: $built/$file is not there: make build" >&2
        exit 1
    fi
done
# What carries an unwinder is no module of the profile for it, and can panic inside sudo.
if grep -q _Unwind_ "$built/libpam_stint.so"; then
    echo "stage.sh: $built/libpam_stint.so is not built with --profile module: make build" >&2
    exit 1
fi

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir "$made/man" "$made/completions"
"$built/stint" generate man "$made/man"
"$built/stint" generate completions "$made/completions"

install -d -m 0755 "$dest/usr/bin" "$dest/usr/sbin" "$dest/usr/libexec/stint" \
    "$dest$module_dir"
install -m 0755 "$built/stint" "$dest/usr/bin/stint"
install -m 0755 "$built/stintd" "$dest/usr/sbin/stintd"
install -m 0755 "$built/stint-sync" "$dest/usr/sbin/stint-sync"
# Setuid root; docs/threat-model.md says why, and what bounds it.
install -m 4755 "$built/stint-run" "$dest/usr/libexec/stint/stint-run"
install -m 0644 "$built/libpam_stint.so" "$dest$module_dir/pam_stint.so"

# root/ mirrors the host. An installation over an older one keeps the policy that is there.
(cd "$here/root" && find . -type f | LC_ALL=C sort) | while read -r file; do
    file=${file#./}
    if [ "$file" = etc/stint/policy.toml ] && [ -e "$dest/$file" ]; then
        continue
    fi
    mode=0644
    [ "$file" = usr/share/stint/etcd-setup ] && mode=0755
    install -D -m "$mode" "$here/root/$file" "$dest/$file"
done
install -d -m 0755 "$dest/etc/stint/policy.d" "$dest/etc/stint/hooks.d"

for page in stint.1 stintd.8 stint-sync.8 pam_stint.8 stint-policy.5; do
    if [ ! -f "$made/man/$page" ]; then
        echo "stage.sh: stint generate man made no $page" >&2
        exit 1
    fi
done
for page in "$made"/man/*.[1-9]; do
    folder="$dest/usr/share/man/man${page##*.}"
    install -d -m 0755 "$folder"
    gzip -9n <"$page" >"$folder/$(basename "$page").gz"
    chmod 0644 "$folder/$(basename "$page").gz"
done

install -D -m 0644 "$made/completions/stint.bash" \
    "$dest/usr/share/bash-completion/completions/stint"
install -D -m 0644 "$made/completions/_stint" "$dest$zsh_dir/_stint"
install -D -m 0644 "$made/completions/stint.fish" \
    "$dest/usr/share/fish/vendor_completions.d/stint.fish"
