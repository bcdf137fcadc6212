//! Reading policy files: no link is followed, and what is judged is what was opened, never what
//! a path may mean a moment later. Parses nothing.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::Uid;
use stint_policy::SourceFile;
use stint_policy::text::harmless;

/// The most bytes that one policy file may have: 1 MiB.
pub const SIZE_LIMIT: u64 = 1024 * 1024;

/// Why a policy file was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// It is not there.
    Missing {
        /// Which.
        path: PathBuf,
    },
    /// It is a symbolic link, or one leads to it.
    Link {
        /// Which.
        path: PathBuf,
    },
    /// It is no ordinary file, or no folder where one is needed.
    Kind {
        /// Which.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// Somebody other than root owns it.
    Owner {
        /// Which.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
    },
    /// Others than root may write it.
    Writable {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is larger than [`SIZE_LIMIT`].
    TooBig {
        /// Which.
        path: PathBuf,
    },
    /// It is no UTF-8 text.
    NotText {
        /// Which.
        path: PathBuf,
        /// The line with the first byte that is wrong.
        line: usize,
    },
    /// The system refused.
    Io {
        /// Which.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}

/// One message: which file, what is wrong with it, what mends it.
impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |path: &Path| harmless(&path.to_string_lossy());
        match self {
            Self::Missing { path } => write!(f, "{}: there is no such file", name(path)),
            Self::Link { path } => {
                write!(f, "{0}: it is a symbolic link; put the file itself there", name(path))
            }
            Self::Kind { path, wanted } => write!(f, "{}: it is no {wanted}", name(path)),
            Self::Owner { path, uid } => {
                let path = name(path);
                write!(f, "{path}: uid {uid} owns it, not root; mend it with: chown root {path}")
            }
            Self::Writable { path, mode } => {
                let path = name(path);
                write!(
                    f,
                    "{path}: others than root may write it (mode {mode:04o}); \
                     mend it with: chmod go-w {path}"
                )
            }
            Self::TooBig { path } => {
                write!(f, "{}: it is larger than 1 MiB, the most a policy file may be", name(path))
            }
            Self::NotText { path, line } => {
                write!(f, "{}:{line}: this line is no UTF-8 text", name(path))
            }
            Self::Io { path, why } => write!(f, "{}: {why}", name(path)),
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads the policy in force: `file`, then every `*.toml` of `dir` in name order. Each of them,
/// and every folder on the way, must be root's and not writable by others; a missing `dir` is an
/// empty one.
///
/// # Errors
/// At the first file or folder that cannot be read or must not be trusted.
pub fn read_policy(file: &Path, dir: &Path) -> Result<Vec<SourceFile>, ReadError> {
    read_owned(file, dir, Uid::from_raw(0))
}

/// Reads one file of the policy in force, with the checks of [`read_policy`].
///
/// # Errors
/// When it cannot be read or must not be trusted.
pub fn read_trusted(path: &Path) -> Result<SourceFile, ReadError> {
    read_judged(path, Uid::from_raw(0))
}

/// Reads one file that need not be root's: one that is only looked at, never put in force.
/// Links are followed.
///
/// # Errors
/// When it cannot be read, is no ordinary file, too big, or no text.
pub fn read_plain(path: &Path) -> Result<SourceFile, ReadError> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let fd = open(path, flags, Mode::empty()).map_err(|errno| failed(path, errno))?;
    let stat = fstat(&fd).map_err(|errno| failed(path, errno))?;
    let wanted = "ordinary file";
    if kind(&stat) != SFlag::S_IFREG {
        return Err(ReadError::Kind { path: path.to_owned(), wanted });
    }
    text_of(fd, path)
}

/// Reads every `*.toml` of a folder in name order, as [`read_plain`] does.
///
/// # Errors
/// When the folder or one of its files cannot be read.
pub fn read_dir(dir: &Path) -> Result<Vec<SourceFile>, ReadError> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY;
    let fd = open(dir, flags, Mode::empty()).map_err(|errno| failed(dir, errno))?;
    names(fd, dir)?.iter().map(|name| read_plain(&dir.join(name))).collect()
}

fn read_owned(file: &Path, dir: &Path, owner: Uid) -> Result<Vec<SourceFile>, ReadError> {
    let mut sources = vec![read_judged(file, owner)?];
    let folder = match walk(dir, owner) {
        Ok(folder) => folder,
        Err(ReadError::Missing { .. }) => return Ok(sources),
        Err(error) => return Err(error),
    };
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY;
    let listing = openat(&folder, ".", flags, Mode::empty()).map_err(|errno| failed(dir, errno))?;
    for name in names(listing, dir)? {
        sources.push(read_at(&folder, &name, &dir.join(&name), owner)?);
    }
    Ok(sources)
}

fn read_judged(path: &Path, owner: Uid) -> Result<SourceFile, ReadError> {
    let wanted = "ordinary file";
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ReadError::Kind { path: path.to_owned(), wanted });
    };
    let folder = walk(parent, owner)?;
    read_at(&folder, &name.to_owned(), path, owner)
}

/// Opens a folder step by step from the root, judging every one on the way.
fn walk(dir: &Path, owner: Uid) -> Result<OwnedFd, ReadError> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let mut seen = PathBuf::from("/");
    let mut fd = open(&seen, flags, Mode::empty()).map_err(|errno| failed(&seen, errno))?;
    judge_folder(&fd, &seen, owner)?;
    for part in dir.components() {
        match part {
            Component::RootDir | Component::CurDir => continue,
            Component::Normal(name) => {
                seen.push(name);
                fd = openat(&fd, name, flags, Mode::empty())
                    .map_err(|errno| failed(&seen, errno))?;
                judge_folder(&fd, &seen, owner)?;
            }
            Component::ParentDir | Component::Prefix(_) => {
                return Err(ReadError::Kind { path: dir.to_owned(), wanted: "plain path" });
            }
        }
    }
    Ok(fd)
}

fn judge_folder(fd: &OwnedFd, path: &Path, owner: Uid) -> Result<(), ReadError> {
    let stat = fstat(fd).map_err(|errno| failed(path, errno))?;
    match kind(&stat) {
        SFlag::S_IFDIR => {}
        SFlag::S_IFLNK => return Err(ReadError::Link { path: path.to_owned() }),
        _ => return Err(ReadError::Kind { path: path.to_owned(), wanted: "folder" }),
    }
    // In a sticky folder nobody but its owner can replace what is root's.
    let sticky = stat.st_mode & Mode::S_ISVTX.bits() != 0;
    judge(&stat, path, owner, !sticky)
}

fn read_at(
    folder: &OwnedFd,
    name: &OsString,
    path: &Path,
    owner: Uid,
) -> Result<SourceFile, ReadError> {
    let flags = OFlag::O_RDONLY
        | OFlag::O_CLOEXEC
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_NOCTTY;
    let fd = openat(folder, name.as_os_str(), flags, Mode::empty())
        .map_err(|errno| failed(path, errno))?;
    let stat = fstat(&fd).map_err(|errno| failed(path, errno))?;
    if kind(&stat) != SFlag::S_IFREG {
        return Err(ReadError::Kind { path: path.to_owned(), wanted: "ordinary file" });
    }
    judge(&stat, path, owner, true)?;
    text_of(fd, path)
}

fn judge(stat: &FileStat, path: &Path, owner: Uid, modes: bool) -> Result<(), ReadError> {
    let uid = stat.st_uid;
    if uid != 0 && uid != owner.as_raw() {
        return Err(ReadError::Owner { path: path.to_owned(), uid });
    }
    let mode = stat.st_mode & 0o7777;
    if modes && mode & 0o022 != 0 {
        return Err(ReadError::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn names(fd: OwnedFd, dir: &Path) -> Result<Vec<OsString>, ReadError> {
    let mut entries = Dir::from_fd(fd).map_err(|errno| failed(dir, errno))?;
    let mut names = Vec::new();
    for entry in entries.iter() {
        let entry = entry.map_err(|errno| failed(dir, errno))?;
        let name = entry.file_name().to_bytes();
        if name.ends_with(b".toml") && !name.starts_with(b".") {
            names.push(std::ffi::OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn text_of(fd: OwnedFd, path: &Path) -> Result<SourceFile, ReadError> {
    let mut bytes = Vec::new();
    File::from(fd)
        .take(SIZE_LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ReadError::Io { path: path.to_owned(), why: error.to_string() })?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > SIZE_LIMIT) {
        return Err(ReadError::TooBig { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|byte| **byte == b'\n').count() + 1;
        ReadError::NotText { path: path.to_owned(), line }
    })?;
    Ok(SourceFile { path: path.to_string_lossy().into_owned(), text })
}

fn failed(path: &Path, errno: Errno) -> ReadError {
    let path = path.to_owned();
    match errno {
        Errno::ENOENT => ReadError::Missing { path },
        Errno::ELOOP => ReadError::Link { path },
        Errno::ENOTDIR => ReadError::Kind { path, wanted: "folder" },
        other => ReadError::Io { path, why: other.desc().to_owned() },
    }
}

#[cfg(test)]
mod tests;
