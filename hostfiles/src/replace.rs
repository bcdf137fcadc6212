//! Replacing a file whole: whoever opens it sees all of the old or all of the new, across a crash
//! too. Decides nothing about what is written.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use stint_policy::text::harmless;
use xattr::FileExt;

/// Why a file was not replaced. The old one is as it was.
#[derive(Debug)]
pub enum ReplaceError {
    /// It is a link, a folder or a device.
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// The system refused.
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
            Self::NotAFile { path } => {
                let path = harmless(&path.to_string_lossy());
                write!(f, "{path}: it is a link or no ordinary file, so it was left as it is")
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
    let old = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|source| match source.raw_os_error() {
            Some(code) if code == nix::errno::Errno::ELOOP as i32 => {
                ReplaceError::NotAFile { path: path.to_owned() }
            }
            _ => io_error(path, "opening it", source),
        })?;
    let meta = old.metadata().map_err(|source| io_error(path, "looking at it", source))?;
    if !meta.is_file() {
        return Err(ReplaceError::NotAFile { path: path.to_owned() });
    }
    write_beside(path, bytes, |new| {
        fchown(new, Some(meta.uid()), Some(meta.gid()))?;
        new.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
        copy_attributes(&old, new)
    })
}

/// Puts a file of these bytes and this mode where there is one or none. It is the caller's own.
///
/// # Errors
/// At the first step that fails.
pub fn put_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ReplaceError> {
    write_beside(path, bytes, |new| new.set_permissions(fs::Permissions::from_mode(mode)))
}

fn write_beside(
    path: &Path,
    bytes: &[u8],
    dress: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), ReplaceError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ReplaceError::NotAFile { path: path.to_owned() });
    };
    let name = name.to_string_lossy();
    // A leading dot: neither sudo nor PAM would take it for a file of theirs.
    let beside = folder.join(format!(".{name}.stint-{}", std::process::id()));
    let outcome = write_and_rename(path, folder, &beside, bytes, dress);
    if outcome.is_err() {
        // What is left of the attempt; that it may not be there is no further failure.
        let _ = fs::remove_file(&beside);
    }
    outcome
}

fn write_and_rename(
    path: &Path,
    folder: &Path,
    beside: &Path,
    bytes: &[u8],
    dress: impl FnOnce(&File) -> io::Result<()>,
) -> Result<(), ReplaceError> {
    let fail = |doing| move |source| io_error(path, doing, source);
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(fail("clearing the way for the new file")(error));
        }
        _ => {}
    }
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)
        .map_err(fail("making the new file beside it"))?;
    new.write_all(bytes).map_err(fail("writing the new file"))?;
    dress(&new).map_err(fail("giving the new file its owner, mode and attributes"))?;
    new.sync_all().map_err(fail("writing the new file to disk"))?;
    fs::rename(beside, path).map_err(fail("putting the new file in its place"))?;
    let folder = File::open(folder).map_err(fail("opening its folder"))?;
    folder.sync_all().map_err(fail("writing its folder to disk"))
}

fn copy_attributes(old: &File, new: &File) -> io::Result<()> {
    let names = match old.list_xattr() {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in names {
        if let Some(value) = old.get_xattr(&name)? {
            new.set_xattr(&name, &value)?;
        }
    }
    Ok(())
}

fn io_error(path: &Path, doing: &'static str, source: io::Error) -> ReplaceError {
    ReplaceError::Io { path: path.to_owned(), doing, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn refuses_a_link_a_folder_and_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "old").unwrap();
        symlink(&target, dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        for name in ["link", "folder"] {
            let found = replace_file(&dir.path().join(name), b"new");
            assert!(matches!(found, Err(ReplaceError::NotAFile { .. })), "{name}: {found:?}");
        }
        assert!(matches!(
            replace_file(&dir.path().join("absent"), b"new"),
            Err(ReplaceError::Io { .. })
        ));
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
