//! The root file systems that hosts boot from: found in the cache, or made once with mmdebstrap
//! from Debian's packages, under a lock, so that tests in parallel make each one once. An image is
//! never written after it was made: hosts put an overlay on it. Nothing of it lies in the
//! repository.

use crate::clock::Deadline;
use crate::run::run;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The Debian release of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// Debian 12: sudo 1.9.13, systemd 252, no sudo-rs.
    Bookworm,
    /// Debian 13: sudo 1.9.16, systemd 257, and sudo-rs.
    Trixie,
}

impl Suite {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Its name in Debian's archive.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Whether sudo-rs is packaged for it, and so installed in its hosts.
    #[must_use]
    pub fn has_sudo_rs(self) -> bool {
        self == Self::Trixie
    }

    fn packages(self) -> String {
        let more = if self.has_sudo_rs() { ",sudo-rs" } else { "" };
        format!("{PACKAGES}{more}")
    }
}

/// What every host has installed, beside Debian's essential packages. nscd does not run until a test
/// starts it.
const PACKAGES: &str = "acl,attr,dbus,faketime,libnss-systemd,libpam-modules,libpam-systemd,\
netcat-openbsd,nscd,opendoas,openssh-client,openssh-server,passwd,pkexec,polkitd,procps,python3,strace,sudo,\
systemd,systemd-sysv,util-linux";

/// Run once in a new image; `$1` is its root. The users' shell is dash, which leaves echo and
/// prompts to the terminal's own settings, so that a test can type into it.
const CUSTOMIZE: &str = r#"set -eu
uid=1000
for user in alice bob carol; do
    chroot "$1" useradd --create-home --shell /bin/sh --uid "$uid" "$user"
    echo "$user:pw-$user" | chroot "$1" chpasswd --crypt-method SHA512
    uid=$((uid + 1))
done
chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer fstrim.timer systemd-firstboot.service
chroot "$1" systemctl disable nscd.service
mkdir -p "$1/var/log/journal"
"#;

/// Making an image: about a minute here, longer where the mirror is far.
const MAKE: Duration = Duration::from_secs(900);

/// A layer of a package that nobody has used for so long is removed.
const LAYER_AGE: Duration = Duration::from_secs(24 * 3600);

/// The folders that a host's overlay stands on, the uppermost first.
#[derive(Clone, Debug)]
pub(crate) struct Layers(pub(crate) Vec<PathBuf>);

impl Layers {
    /// As overlayfs wants them in `lowerdir=`.
    pub(crate) fn lowerdir(&self) -> String {
        let names: Vec<String> = self.0.iter().map(|path| plain(path)).collect();
        names.join(":")
    }
}

/// Where images are kept: `$STINT_TEST_CACHE`, or a folder of the machine.
fn cache() -> PathBuf {
    let folder = std::env::var_os("STINT_TEST_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/stint-tests"), PathBuf::from);
    fs::create_dir_all(&folder)
        .unwrap_or_else(|e| panic!("the folder for images, {}: {e}", folder.display()));
    folder
}

/// The layers of a host of this suite, with these of Debian's packages beside what all hosts have,
/// and with the package under test when one is given. What is missing is made first.
pub(crate) fn layers(suite: Suite, more: &[String], deb: Option<&Path>) -> Layers {
    let packages = suite.packages();
    let key = fingerprint(&[suite.name().as_bytes(), packages.as_bytes(), CUSTOMIZE.as_bytes()]);
    let mut name = format!("{}-{key}", suite.name());
    let image = once(&cache().join(&name), |part| debootstrap(suite, &packages, part));
    let mut layers = Layers(vec![image]);
    if !more.is_empty() {
        name = format!("{name}~{}", fingerprint(&[more.join(" ").as_bytes(), ADD.as_bytes()]));
        let layer = once(&cache().join(&name), |part| add(&layers, more, part));
        layers.0.insert(0, layer.join("upper"));
    }
    let Some(deb) = deb else { return layers };
    let bytes = fs::read(deb).unwrap_or_else(|e| panic!("the package {}: {e}", deb.display()));
    let layer = cache().join(format!("{name}+{}", fingerprint(&[&bytes])));
    let layer = once(&layer, |part| install(&layers, deb, part));
    forget_old_layers(&layer);
    layers.0.insert(0, layer.join("upper"));
    layers
}

/// Makes `path` by `make`, unless somebody has already; never half of it.
fn once(path: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = File::create(lock).expect("a lock file beside the image");
    lock.lock().expect("the lock of the image");
    if path.exists() {
        // Its age says when it was last used.
        let used = File::open(path).and_then(|folder| folder.set_modified(now()));
        used.expect("the image's time can be set");
        return path.to_owned();
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if part.exists() {
        fs::remove_dir_all(&part).expect("what an earlier attempt left is removed");
    }
    let started = Deadline::after(MAKE);
    eprintln!("stint-tests: making {} (kept for the next time)", path.display());
    make(&part);
    fs::rename(&part, path).expect("the finished image gets its name");
    eprintln!("stint-tests: made {} in {} s", path.display(), started.elapsed().as_secs());
    path.to_owned()
}

fn debootstrap(suite: Suite, packages: &str, root: &Path) {
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--variant=minbase"])
        .arg(format!("--include={packages}"))
        .arg(format!("--customize-hook={CUSTOMIZE}"))
        .arg(suite.name())
        .arg(root);
    let output = run(command, b"", Deadline::after(MAKE));
    assert!(output.ok(), "mmdebstrap of {}: {output}", suite.name());
}

/// Something done on an overlay of its own, in a mount namespace that goes with the command.
/// `$1`: what it stands on, `$2`: the layer, `$3`: a name for it, and then what is done.
const ON_OVERLAY: &str = r#"set -eu
mkdir -p "$2/upper" "$2/work" "$2/root" /run/systemd/inaccessible
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
inside() {
    systemd-nspawn -q -D "$root" -M "$name" --register=no --keep-unit --pipe --resolv-conf=off \
        --timezone=off --setenv=DEBIAN_FRONTEND=noninteractive \
        --setenv=http_proxy="${http_proxy:-}" "$@"
}
layer=$2 root=$2/root name=$3
shift 3
"#;

const UNMOUNT: &str = r#"
umount "$root"
rm -rf "$layer/work" "$root"
"#;

/// Installs the package `$1`.
const INSTALL: &str =
    r#"inside --private-network --bind-ro="$1:/run/package.deb" dpkg -i /run/package.deb"#;

/// Installs packages of Debian's, with the machine's network.
const ADD: &str = r#"[ ! -e /etc/resolv.conf ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
inside apt-get -q update
inside apt-get -q -y --no-install-recommends install "$@"
rm -rf "$root/etc/resolv.conf" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*"#;

fn install(below: &Layers, deb: &Path, part: &Path) {
    let deb = fs::canonicalize(deb).expect("the package's path");
    on_overlay(below, part, INSTALL, &[plain(&deb)], Deadline::seconds(180));
}

fn add(below: &Layers, packages: &[String], part: &Path) {
    on_overlay(below, part, ADD, packages, Deadline::after(MAKE));
}

fn on_overlay(below: &Layers, part: &Path, what: &str, arguments: &[String], deadline: Deadline) {
    let script = format!("{ON_OVERLAY}{what}{UNMOUNT}");
    let machine = format!("stint-install-{}", std::process::id());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", &script, "layer"]);
    command.args([below.lowerdir(), plain(part), machine]).args(arguments);
    command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
    let output = run(command, b"", deadline);
    assert!(output.ok(), "{}: {output}", part.display());
}

/// Removes layers of packages that are no longer built, which else would pile up.
fn forget_old_layers(keep: &Path) {
    for entry in fs::read_dir(cache()).expect("the folder for images").flatten() {
        let path = entry.path();
        let layer = path.file_name().and_then(OsStr::to_str).is_some_and(|name| {
            name.contains('+') && !name.ends_with(".lock") && !name.ends_with(".part")
        });
        let old = || {
            let changed = entry.metadata().and_then(|data| data.modified()).ok();
            changed.and_then(|at| now().duration_since(at).ok()).is_some_and(|age| age > LAYER_AGE)
        };
        if layer && path != keep && old() {
            // Another process may be removing it as well.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of files in the cache")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// A short name for contents (FNV-1a, 64 bits): stable from one build to the next. It keeps apart
/// what differs by accident; it is no protection against anybody.
fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.iter().chain(&[0]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

/// A path that can stand in a list of overlayfs.
pub(crate) fn plain(path: &Path) -> String {
    let name = path.to_str().expect("the cache has a plain path");
    assert!(!name.contains([':', ',', '\\']), "{name}: no : , or \\ may be in this path");
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn other_contents_have_another_fingerprint() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
        assert_eq!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"ab", b"c"]));
        assert_eq!(fingerprint(&[]), "cbf29ce484222325");
    }
}
