#!/bin/sh
# Builds stint-VERSION-1.ARCH.rpm; its path is the last line of the output. Needs cargo, a C
# compiler, libpam's headers, protoc with its own files (protobuf-devel), rpmbuild and git; works on Debian too (package rpm), for testing.
# With STINT_BUILT=FOLDER it packs the programs that lie there and builds nothing.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/packaging/common.sh"

target=$(stint_target)
version=$(stint_version)
arch=$(uname -m)
SOURCE_DATE_EPOCH=$(stint_epoch)
export SOURCE_DATE_EPOCH

built=$(stint_build "$target")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -m 0755 "$root"

"$top/packaging/stage.sh" "$root" "$built" /usr/lib64/security /usr/share/zsh/site-functions

install -d -m 0755 "$root/usr/share/doc/stint" "$root/usr/share/licenses/stint"
stint_crates "$work/crates"
gzip -9n <"$work/crates" >"$root/usr/share/doc/stint/crates.gz"
install -m 0644 "$top/LICENSE-APACHE" "$top/LICENSE-MIT" "$root/usr/share/licenses/stint/"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

# Every file that was staged, and the folders that are stint's own.
{
    echo '%defattr(-,root,root)'
    echo '%dir /etc/stint'
    echo '%dir /etc/stint/policy.d'
    echo '%dir /etc/stint/hooks.d'
    echo '%dir /usr/libexec/stint'
    echo '%dir /usr/share/doc/stint'
    echo '%dir /usr/share/doc/stint/examples'
    echo '%dir /usr/share/doc/stint/examples/hooks'
    echo '%dir /usr/share/doc/stint/examples/rsyslog'
    echo '%dir /usr/share/licenses/stint'
    (cd "$root" && find . -type f -printf '/%P\n' | LC_ALL=C sort) |
        sed -e 's|^/etc/stint/policy.toml$|%config(noreplace) &|' \
            -e 's|^/usr/libexec/stint/stint-run$|%attr(4755,root,root) &|' \
            -e 's|^/usr/share/stint/etcd-setup$|%attr(0755,root,root) &|' \
            -e 's|^/usr/share/man/|%doc &|' -e 's|^/usr/share/doc/|%doc &|' \
            -e 's|^/usr/share/licenses/|%license &|'
} >"$work/files"
sed -e "s|@VERSION@|$version|" -e "s|@ARCH@|$arch|" -e "s|@STAGED@|$root|" \
    -e "s|@FILES@|$work/files|" "$here/stint.spec.in" >"$work/stint.spec"

mkdir -p "$target/rpm"
rpmbuild -bb --target "$arch" --define "_topdir $work/rpmbuild" --define "_rpmdir $target/rpm" \
    --define '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm' \
    --define '_buildhost localhost' "$work/stint.spec" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
echo "$target/rpm/stint-$version-1.$arch.rpm"
