//! Replacing a file whole: a temporary file beside it, made to look like it, synced, renamed over
//! it, the folder synced. Whoever reads the file sees the old or the new one, never a part.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};
use xattr::FileExt;

/// The most that a file may have to be read: a larger one is not what it says it is.
const SIZE_LIMIT: u64 = 64 << 20;

/// Opens a folder to work in; its last component is not followed if it is a link.
///
/// # Errors
/// When it cannot be opened, or is a link or no folder.
pub fn open_dir(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    opened.map_err(|error| {
        // The kernel calls a link "not a directory", which is not what is wrong with it.
        if path.is_symlink() {
            io::Error::other("it is a symbolic link; put the folder itself there")
        } else {
            error
        }
    })
}

/// Opens a regular file in `dir` for reading, without following a link and without waiting on a
/// pipe.
///
/// # Errors
/// When it cannot be opened, or is no regular file.
pub fn open_regular(dir: &File, name: &str) -> io::Result<(File, Metadata)> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::ELOOP) => return Err(io::Error::other("it is a symbolic link")),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok((file, metadata))
}

/// All of a file.
///
/// # Errors
/// When it cannot be read, or is larger than 64 MiB.
pub fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |len| len > SIZE_LIMIT) {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(bytes)
}

/// How the new file shall look.
#[derive(Debug)]
pub enum Look<'a> {
    /// Like this file: owner, mode, ACL, label and other attributes.
    Like(&'a File, &'a Metadata),
    /// Owned by whoever writes it, with this mode.
    Mode(u32),
}

/// A new file's content, complete and on disk under a temporary name; dropped without
/// [`Staged::commit`] it is removed.
#[derive(Debug)]
pub struct Staged<'a> {
    dir: &'a File,
    temp: &'a str,
    done: bool,
}

impl<'a> Staged<'a> {
    /// Writes `bytes` to `temp` in `dir`. What was left there by a crash is removed first; the
    /// caller sees to it that nobody else writes there.
    ///
    /// # Errors
    /// At the first step that fails; then nothing is left.
    pub fn write(dir: &'a File, temp: &'a str, bytes: &[u8], look: &Look<'_>) -> io::Result<Self> {
        remove(dir, temp)?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file = File::from(openat(dir, temp, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
        let staged = Self { dir, temp, done: false };
        match look {
            Look::Like(model, metadata) => resemble(&file, model, metadata)?,
            Look::Mode(mode) => fchmod(&file, Mode::from_bits_truncate(*mode))?,
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Puts the new file in the place of `name`, for good.
    ///
    /// # Errors
    /// When it cannot be put there, or the folder cannot be synced.
    pub fn commit(mut self, name: &str) -> io::Result<()> {
        renameat(self.dir, self.temp, self.dir, name)?;
        self.done = true;
        self.dir.sync_all()
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.done {
            // Nothing can be done about a failure here; the next attempt removes it first.
            let _ = remove(self.dir, self.temp);
        }
    }
}

/// Removes a file of `dir`; false if there was none.
///
/// # Errors
/// When it is there and stays.
pub fn remove(dir: &File, name: &str) -> io::Result<bool> {
    match unlinkat(dir, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        // A file system that is read-only says so before it looks.
        Err(Errno::EROFS) if !is_there(dir, name) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether a name of `dir` is taken, or may be.
fn is_there(dir: &File, name: &str) -> bool {
    fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) != Err(Errno::ENOENT)
}

fn resemble(file: &File, model: &File, metadata: &Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
        let owner = Uid::from_raw(metadata.uid());
        fchown(file, Some(owner), Some(Gid::from_raw(metadata.gid())))?;
    }
    fchmod(file, Mode::from_bits_truncate(metadata.mode() & 0o7777))?;
    let names = match model.list_xattr() {
        Ok(names) => names,
        Err(error) if error.raw_os_error() == Some(Errno::EOPNOTSUPP as i32) => return Ok(()),
        Err(error) => return Err(error),
    };
    for name in names.filter(|name| !is_bound_to_content(name)) {
        let Some(value) = model.get_xattr(&name)? else { continue };
        if file.get_xattr(&name)?.as_ref() != Some(&value) {
            file.set_xattr(&name, &value)?;
        }
    }
    Ok(())
}

/// Whether an attribute is a measure of the old content, and wrong for any other.
fn is_bound_to_content(name: &OsStr) -> bool {
    matches!(name.as_bytes(), b"security.ima" | b"security.evm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_folder_that_is_a_link_is_called_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        let error = open_dir(&link).unwrap_err();
        assert_eq!(error.to_string(), "it is a symbolic link; put the folder itself there");
    }

    #[test]
    fn neither_links_nor_folders_nor_pipes_are_files() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("real"), "x").unwrap();
        symlink("real", dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), Mode::S_IRWXU).unwrap();
        let open = open_dir(dir.path()).unwrap();
        for name in ["link", "folder", "pipe", "absent"] {
            assert!(open_regular(&open, name).is_err(), "{name}");
        }
        assert!(open_regular(&open, "real").is_ok());
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "old").unwrap();
        let open = open_dir(dir.path()).unwrap();
        drop(Staged::write(&open, ".new", b"new", &Look::Mode(0o600)).unwrap());
        assert!(!dir.path().join(".new").exists());
        assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"old");
    }

    #[test]
    fn mode_and_attributes_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        xattr::set(&path, "user.note", b"kept").unwrap();
        let open = open_dir(dir.path()).unwrap();
        let (model, metadata) = open_regular(&open, "file").unwrap();
        let staged = Staged::write(&open, ".new", b"new", &Look::Like(&model, &metadata)).unwrap();
        staged.commit("file").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o604);
        assert_eq!(xattr::get(&path, "user.note").unwrap().as_deref(), Some(&b"kept"[..]));
    }
}
