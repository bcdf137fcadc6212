#!/bin/sh
# Builds stint_VERSION_ARCH.deb; its path is the last line of the output. Two builds of one commit
# are the same to the byte. Needs cargo, a C compiler, libpam0g-dev, protobuf-compiler,
# libprotobuf-dev, dpkg-dev and git.
# With STINT_BUILT=FOLDER it packs the programs that lie there and builds nothing.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/packaging/common.sh"

target=$(stint_target)
version=$(stint_version)
arch=$(dpkg --print-architecture)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
SOURCE_DATE_EPOCH=$(stint_epoch)
export SOURCE_DATE_EPOCH

if ! head -n 1 "$here/changelog" | grep -qF "stint ($version) "; then
    echo "build.sh: packaging/deb/changelog does not begin with $version, the version in Cargo.toml" >&2
    exit 1
fi

built=$(stint_build "$target")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -m 0755 "$root"

"$top/packaging/stage.sh" "$root" "$built" "/usr/lib/$multiarch/security"

doc=$root/usr/share/doc/stint
install -D -m 0644 "$here/copyright" "$doc/copyright"
gzip -9n <"$here/changelog" >"$doc/changelog.gz"
stint_crates "$work/crates"
gzip -9n <"$work/crates" >"$doc/crates.gz"
install -D -m 0644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/stint"

# What the programs are linked to says what the package depends on.
mkdir -p "$work/shlibs/debian"
printf 'Source: stint\n\nPackage: stint\nArchitecture: any\n' >"$work/shlibs/debian/control"
shlibs=$(cd "$work/shlibs" && dpkg-shlibdeps -O --ignore-missing-info \
    "$root/usr/bin/stint" "$root/usr/sbin/stintd" "$root/usr/sbin/stint-sync" "$root/usr/libexec/stint/stint-run" \
    "$root/usr/lib/$multiarch/security/pam_stint.so" 2>"$work/shlibs.log" |
    sed -n 's/^shlibs:Depends=//p')
if [ -z "$shlibs" ]; then
    cat "$work/shlibs.log" >&2
    exit 1
fi
case "$shlibs" in *libpam0g*) ;; *) shlibs="$shlibs, libpam0g" ;; esac

install -d -m 0755 "$root/DEBIAN"
for script in postinst prerm postrm; do
    install -m 0755 "$here/$script" "$root/DEBIAN/$script"
done
echo /etc/stint/policy.toml >"$root/DEBIAN/conffiles"
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' -printf '%P\0' |
    LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
size=$(du -sk --apparent-size "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" \
    -e "s/@SHLIBS@/$shlibs/" "$here/control.in" >"$root/DEBIAN/control"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$target/debian"
deb=$target/debian/stint_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$deb" >&2
echo "$deb"
