//! Files in and out of a host, and the package under test. Paths in a host are looked up inside
//! it, so a link there never leads out.

use crate::clock::Deadline;
use crate::host::Host;
use crate::run::{enter, run_raw};
use std::path::{Path, PathBuf};

impl Host {
    /// Writes a file in the host, as root, whole, with its folder if that is missing.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, mode: &str, contents: impl AsRef<[u8]>) {
        const SCRIPT: &str = r#"mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1""#;
        let mut command = enter(self.leader(), &["sh", "-c", SCRIPT, "write", path, mode]);
        let (status, _, stderr) = run_raw(&mut command, contents.as_ref(), Deadline::seconds(60));
        assert_eq!(status, 0, "writing {path}: {}", String::from_utf8_lossy(&stderr));
    }

    /// The bytes of a file in the host.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(&self, path: &str) -> Vec<u8> {
        let mut command = enter(self.leader(), &["cat", "--", path]);
        let (status, bytes, stderr) = run_raw(&mut command, b"", Deadline::seconds(60));
        assert_eq!(status, 0, "reading {path}: {}", String::from_utf8_lossy(&stderr));
        bytes
    }

    /// Copies a file of the machine into the host.
    ///
    /// # Panics
    /// When it cannot be read or written.
    pub fn put(&self, from: &Path, to: &str, mode: &str) {
        let bytes = std::fs::read(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        self.write(to, mode, bytes);
    }

    /// Writes `/etc/stint/policy.toml` as an administrator's editor would. stintd is not told.
    pub fn write_policy(&self, text: &str) {
        self.write("/etc/stint/policy.toml", "0644", text);
    }

    /// Writes the policy and has stintd load it.
    ///
    /// # Panics
    /// When stintd refuses it.
    pub fn load_policy(&self, text: &str) {
        self.write_policy(text);
        self.ok("stint reload");
    }
}

/// The package under test: `$STINT_TEST_DEB`, else the newest in the build folder.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn deb_under_test() -> PathBuf {
    if let Some(path) = std::env::var_os("STINT_TEST_DEB") {
        return PathBuf::from(path);
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| top.join("target"), |folder| top.join(folder))
        .join("debian");
    let packages = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    packages
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .max_by_key(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
        .unwrap_or_else(|| panic!("no package in {}: run make deb first", folder.display()))
}
