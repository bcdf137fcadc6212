//! The locks under which /etc/group and /etc/gshadow are changed, taken as shadow-utils takes
//! them: first the one lock of lckpwdf(3), `.pwd.lock`, then `group.lock` and `gshadow.lock`,
//! each a file that holds a process id and is put in place by link(2). Released in reverse when
//! dropped. Changes nothing else.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FcntlArg, OFlag, fcntl, openat};
use nix::libc;
use nix::sys::signal::kill;
use nix::sys::stat::{FileStat, Mode, fstatat};
use nix::unistd::{Pid, getpid, linkat};

use super::wait::Patience;
use stint_hostfiles::remove;

const PASSWORD_LOCK: &str = ".pwd.lock";

/// Why the files are not ours to change now.
#[derive(Debug)]
pub enum LockError {
    /// A lock file cannot be made or read.
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody held it until the patience was at its end.
    Held {
        /// Which.
        path: PathBuf,
        /// By which process, where the lock says so.
        by: Option<i32>,
    },
    /// The lock file says nothing of whose it is, so nobody may take it over.
    NoOwner {
        /// Which.
        path: PathBuf,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Held { path, by: Some(pid) } => {
                write!(f, "{} is held by process {pid}", path.display())
            }
            Self::Held { path, by: None } => {
                write!(f, "{} is held by another process", path.display())
            }
            Self::NoOwner { path } => write!(
                f,
                "{0} holds no process id; if no program is changing accounts: rm {0}",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LockError {}

/// All locks that a change of group files needs. The fields are dropped in this order: the files
/// in reverse of how they were taken, the password lock last.
#[derive(Debug)]
pub(super) struct EtcLocks {
    gshadow: Option<LockFile>,
    group: Option<LockFile>,
    _password: File,
}

impl EtcLocks {
    /// Takes them in `dir`, which is open as `folder`; `gshadow.lock` only where there is a
    /// gshadow, as shadow-utils does.
    pub(super) fn take(
        dir: &Path,
        folder: &File,
        patience: &mut Patience,
    ) -> Result<Self, LockError> {
        let mut locks = Self {
            gshadow: None,
            group: None,
            _password: take_password_lock(dir, folder, patience)?,
        };
        locks.group = Some(LockFile::take(dir, folder, "group", patience)?);
        if status(folder, "gshadow").is_ok() {
            locks.gshadow = Some(LockFile::take(dir, folder, "gshadow", patience)?);
        }
        Ok(locks)
    }
}

/// The lock of lckpwdf(3), by an open file description lock: it shuts out the process locks that
/// others take on the same file, and goes with the descriptor.
fn take_password_lock(
    dir: &Path,
    folder: &File,
    patience: &mut Patience,
) -> Result<File, LockError> {
    let path = dir.join(PASSWORD_LOCK);
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let file = match openat(folder, PASSWORD_LOCK, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
        Ok(fd) => File::from(fd),
        Err(error) => return Err(LockError::Unusable { path, error: error.into() }),
    };
    let whole = libc::flock { l_type: WRITE_LOCK, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    loop {
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => return Ok(file),
            Err(Errno::EAGAIN | Errno::EACCES | Errno::EINTR) => {
                if !patience.pause() {
                    return Err(LockError::Held { path, by: None });
                }
            }
            Err(error) => return Err(LockError::Unusable { path, error: error.into() }),
        }
    }
}

/// `F_WRLCK` as the structure wants it; the constant is an int of 1 on every Linux.
const WRITE_LOCK: libc::c_short = 1;

/// One `NAME.lock` that is ours.
#[derive(Debug)]
struct LockFile {
    folder: File,
    name: String,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Nobody else takes over a lock that stays before this process is gone.
        let removed = || remove(&self.folder, &self.name);
        if let Err(error) = removed().or_else(|_| removed()).or_else(|_| removed()) {
            eprintln!("stintd: {} stays until the next change of groups: {error}", self.name);
        }
    }
}

impl LockFile {
    fn take(
        dir: &Path,
        folder: &File,
        of: &str,
        patience: &mut Patience,
    ) -> Result<Self, LockError> {
        // Always the same name, so that one which a crash left goes with the next lock.
        let (name, temp) = (format!("{of}.lock"), format!(".{of}.lock.stint"));
        let path = dir.join(&name);
        let unusable = |error| LockError::Unusable { path: path.clone(), error };
        write_own(folder, &temp).map_err(unusable)?;
        let taken = Self::link(folder, &temp, &name, &path, patience);
        let swept = remove(folder, &temp).map_err(unusable);
        let lock = taken?;
        swept?;
        Ok(lock)
    }

    fn link(
        folder: &File,
        temp: &str,
        name: &str,
        path: &Path,
        patience: &mut Patience,
    ) -> Result<Self, LockError> {
        let unusable = |error| LockError::Unusable { path: path.to_owned(), error };
        // The descriptor comes first: once the lock stands, nothing may fail before its owner is.
        let mut ours = Some(folder.try_clone().map_err(unusable)?);
        loop {
            match linkat(folder, temp, folder, name, AtFlags::empty()) {
                Ok(()) => {
                    if let Some(folder) = ours.take() {
                        let lock = Self { folder, name: name.to_owned() };
                        return lock.checked(temp).map_err(unusable);
                    }
                }
                Err(Errno::EEXIST) => {}
                Err(error) => return Err(unusable(error.into())),
            }
            let refusal = match owner(folder, name).map_err(unusable)? {
                Owner::Gone => continue,
                Owner::Dead => {
                    remove(folder, name).map_err(unusable)?;
                    continue;
                }
                Owner::Alive(pid) => LockError::Held { path: path.to_owned(), by: Some(pid) },
                Owner::Unsaid => LockError::NoOwner { path: path.to_owned() },
            };
            if !patience.pause() {
                return Err(refusal);
            }
        }
    }

    /// shadow-utils' check: the lock is another name of our own file.
    fn checked(self, temp: &str) -> io::Result<Self> {
        let links = status(&self.folder, temp)?.st_nlink;
        if links == 2 { Ok(self) } else { Err(io::Error::other("the lock file is used already")) }
    }
}

fn status(folder: &File, name: &str) -> nix::Result<FileStat> {
    fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW)
}

fn write_own(folder: &File, temp: &str) -> io::Result<()> {
    // Under the password lock a file of this name can only be what a crash left.
    remove(folder, temp)?;
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, temp, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    let written = file.write_all(format!("{}\0", getpid()).as_bytes());
    let synced = written.and_then(|()| file.sync_data());
    if synced.is_err() {
        remove(folder, temp)?;
    }
    synced
}

enum Owner {
    /// The lock is gone by now.
    Gone,
    /// Its process is no more.
    Dead,
    /// Its process lives.
    Alive(i32),
    /// It names none.
    Unsaid,
}

fn owner(folder: &File, name: &str) -> io::Result<Owner> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::ENOENT) => return Ok(Owner::Gone),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(32).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some(pid) = text.trim_matches(['\0', '\n', ' ']).parse().ok().filter(|pid| *pid > 0) else {
        return Ok(Owner::Unsaid);
    };
    // Our own id cannot be in it while we ask: it is from a process that had it before us, or one that
    // could not be removed.
    let dead =
        Pid::from_raw(pid) == getpid() || kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH);
    Ok(if dead { Owner::Dead } else { Owner::Alive(pid) })
}
