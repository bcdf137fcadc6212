//! Replacing a file by its path: whoever opens it sees all of the old or all of the new, across a
//! crash too. Decides nothing about what is written.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use stint_policy::text::harmless;

use crate::staged::{Look, Staged, open_dir, open_regular};

/// Why a file was not replaced. The old one is as it was.
#[derive(Debug)]
pub enum ReplaceError {
    /// Its path names no file in a folder.
    NoFile {
        /// Which.
        path: PathBuf,
    },
    /// It is not there, is a link or no ordinary file, or the system refused.
    Io {
        /// Which.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile { path } => {
                let path = harmless(&path.to_string_lossy());
                write!(f, "{path:?} names no file in a folder")
            }
            Self::Io { path, doing, source } => {
                let path = harmless(&path.to_string_lossy());
                write!(f, "{path}: {doing} failed, so it was left as it is: {source}")
            }
        }
    }
}

impl std::error::Error for ReplaceError {}

/// Puts `bytes` in the place of what a file holds. Owner, mode, ACL, label and every other
/// extended attribute stay.
///
/// # Errors
/// When the file is not there, is a link or no ordinary file, or at the first step that fails.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let (folder, name) = place(path)?;
    let (old, metadata) =
        open_regular(&folder, name).map_err(|source| io_error(path, "opening it", source))?;
    write(path, &folder, name, bytes, &Look::Like(&old, &metadata))
}

/// Puts a file of these bytes and this mode where there is one or none. It is the caller's own.
///
/// # Errors
/// At the first step that fails.
pub fn put_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ReplaceError> {
    let (folder, name) = place(path)?;
    write(path, &folder, name, bytes, &Look::Mode(mode))
}

fn place(path: &Path) -> Result<(File, &str), ReplaceError> {
    let name = path.file_name().and_then(OsStr::to_str);
    let (Some(folder), Some(name)) = (path.parent(), name) else {
        return Err(ReplaceError::NoFile { path: path.to_owned() });
    };
    let folder = open_dir(folder).map_err(|e| io_error(path, "opening its folder", e))?;
    Ok((folder, name))
}

fn write(
    path: &Path,
    folder: &File,
    name: &str,
    bytes: &[u8],
    look: &Look<'_>,
) -> Result<(), ReplaceError> {
    let beside = beside(name);
    Staged::write(folder, &beside, bytes, look)
        .map_err(|source| io_error(path, "writing the new file beside it", source))?
        .commit(name)
        .map_err(|source| io_error(path, "putting the new file in its place", source))
}

/// A leading dot: neither sudo nor PAM would take it for a file of theirs.
fn beside(name: &str) -> String {
    format!(".{name}.stint-{}", std::process::id())
}

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> ReplaceError {
    ReplaceError::Io { path: path.to_owned(), doing, source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn refuses_a_link_a_folder_and_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "old").unwrap();
        symlink(&target, dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        for name in ["link", "folder", "absent"] {
            let found = replace_file(&dir.path().join(name), b"new");
            assert!(matches!(found, Err(ReplaceError::Io { .. })), "{name}: {found:?}");
        }
        assert!(matches!(replace_file(Path::new("/"), b"new"), Err(ReplaceError::NoFile { .. })));
        assert_eq!(fs::read_to_string(target).unwrap(), "old");
    }

    #[test]
    fn keeps_mode_owner_and_attributes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(7), Some(9)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        let labelled = xattr::set(&path, "user.note", b"kept").is_ok();
        replace_file(&path, b"new").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            (before.mode(), before.uid(), before.gid()),
            (after.mode(), after.uid(), after.gid())
        );
        assert_ne!(before.ino(), after.ino());
        if labelled {
            assert_eq!(xattr::get(&path, "user.note").unwrap().unwrap(), b"kept");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "something was left beside it");
    }

    #[test]
    fn a_new_file_has_the_mode_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("backup");
        for bytes in [b"one".as_slice(), b"two"] {
            put_file(&path, bytes, 0o600).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        }
    }
}
