//! Folders and files by descriptor, below one root, in bounds: no link is followed, nothing is
//! mounted by being looked at, no other file system is entered below a place, and nothing is read.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::NixPath;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use super::mounts::Mounts;
use crate::clock::SharedClock;

/// Under which name the capabilities of a program are kept (capabilities(7)).
const CAPABILITIES: &str = "security.capability";

/// Why a place was not looked at, or not in full.
pub(super) enum Missed {
    /// It is not there.
    Absent,
    /// A link leads there.
    Link,
    /// It is too much, for the place or for all of them.
    TooMuch,
    /// It took too long.
    TooLong,
    /// The kernel said no.
    Failed(Errno),
}

impl Missed {
    /// For people; `None` where there is nothing to say.
    pub(super) fn why(&self) -> Option<String> {
        match self {
            Self::Absent => None,
            Self::Link => Some("a link leads there".to_owned()),
            Self::TooMuch => Some("there is too much in it".to_owned()),
            Self::TooLong => Some("the look took too long".to_owned()),
            Self::Failed(error) => Some(error.desc().to_owned()),
        }
    }
}

impl From<Errno> for Missed {
    fn from(error: Errno) -> Self {
        match error {
            Errno::ENOENT | Errno::ENOTDIR => Self::Absent,
            Errno::ELOOP => Self::Link,
            other => Self::Failed(other),
        }
    }
}

/// What may still be looked at, and until when.
pub(super) struct Budget {
    pub(super) clock: SharedClock,
    /// Microseconds since boot.
    pub(super) until: i64,
    /// Files, of all places.
    pub(super) files: usize,
}

impl Budget {
    pub(super) fn take(&mut self) -> Result<(), Missed> {
        if self.clock.now().boot >= self.until {
            return Err(Missed::TooLong);
        }
        self.files = self.files.checked_sub(1).ok_or(Missed::TooMuch)?;
        Ok(())
    }
}

/// One file or folder that was found.
pub(super) struct Found {
    /// Its path inside the place, without an end that is none.
    pub(super) path: String,
    pub(super) stat: FileStat,
    /// It has capabilities of its own; looked for in programs alone.
    pub(super) capable: bool,
}

impl Found {
    pub(super) fn is(&self, kind: SFlag) -> bool {
        is(&self.stat, kind)
    }

    /// It runs with the rights of its owner or of its group.
    pub(super) fn is_setuid(&self) -> bool {
        let bits = Mode::S_ISUID | Mode::S_ISGID;
        self.is(SFlag::S_IFREG) && self.stat.st_mode & bits.bits() != 0
    }
}

/// Opens what is at this path below the root, part by part; a link at its end is opened as one.
/// Not by openat2, which a unit with `RestrictSUIDSGID=` cannot call.
pub(super) fn open(root: &impl AsFd, path: &str, flags: OFlag) -> Result<OwnedFd, Missed> {
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let mut folder = root
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))?;
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let wanted = if is_last { flags } else { OFlag::O_PATH | OFlag::O_DIRECTORY };
        folder = match one(&folder, part, wanted) {
            Ok(opened) => opened,
            Err(Errno::ENOTDIR) if is_link(&folder, part) => return Err(Missed::Link),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(folder)
}

fn one<P: ?Sized + NixPath>(folder: &impl AsFd, name: &P, flags: OFlag) -> nix::Result<OwnedFd> {
    openat(folder, name, flags | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty())
}

fn is_link(folder: &impl AsFd, name: &str) -> bool {
    let stat = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| is(&stat, SFlag::S_IFLNK))
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    stat.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

/// What is at this path below the root.
pub(super) fn stat(root: &impl AsFd, path: &str) -> Result<FileStat, Missed> {
    Ok(fstat(open(root, path, OFlag::O_PATH)?)?)
}

/// How a folder is walked.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    /// How far down.
    pub(super) depth: usize,
    /// How many files at the most.
    pub(super) most: usize,
    /// Whether programs are asked for their capabilities.
    pub(super) capabilities: bool,
    /// What is mounted below it is left alone.
    pub(super) mounts: &'a Mounts,
}

/// Everything in the folder at this path, the folder itself first. What was found before something
/// stood in the way is there too.
pub(super) fn walk(
    root: &impl AsFd,
    place: &str,
    manner: Manner<'_>,
    budget: &mut Budget,
) -> (Vec<Found>, Result<(), Missed>) {
    let mut walk = Walk { place, manner, budget, found: Vec::new() };
    let done = open(root, place, OFlag::O_RDONLY | OFlag::O_DIRECTORY).and_then(|folder| {
        let stat = fstat(&folder)?;
        walk.found.push(Found { path: String::new(), stat, capable: false });
        walk.enter(folder, stat.st_dev, "", manner.depth)
    });
    (walk.found, done)
}

struct Walk<'a> {
    place: &'a str,
    manner: Manner<'a>,
    budget: &'a mut Budget,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn enter(
        &mut self,
        folder: OwnedFd,
        device: u64,
        path: &str,
        depth: usize,
    ) -> Result<(), Missed> {
        let mut folder = Dir::from_fd(folder)?;
        for name in self.names(&mut folder)? {
            let shown = readable(name.to_bytes());
            let path = if path.is_empty() { shown } else { format!("{path}/{shown}") };
            if self.manner.mounts.is_point(&format!("{}/{path}", self.place)) {
                continue;
            }
            let as_it_is = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT;
            let stat = match fstatat(&folder, name.as_c_str(), as_it_is) {
                Ok(stat) => stat,
                // Gone since, or somebody's own file system that is not even root's to see.
                Err(Errno::ENOENT | Errno::EACCES) => continue,
                Err(error) => return Err(error.into()),
            };
            let is_program = is(&stat, SFlag::S_IFREG) && stat.st_mode & 0o111 != 0;
            let capable =
                self.manner.capabilities && is_program && has_capabilities(&folder, &name);
            self.found.push(Found { path: path.clone(), stat, capable });
            let is_here = is(&stat, SFlag::S_IFDIR) && stat.st_dev == device;
            if is_here && depth > 1 {
                match one(&folder, name.as_c_str(), OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
                    Ok(inner) => self.enter(inner, device, &path, depth - 1)?,
                    // Gone since, or replaced by a link.
                    Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn names(&mut self, folder: &mut Dir) -> Result<Vec<CString>, Missed> {
        let mut names = Vec::new();
        for entry in folder.iter() {
            let name = entry?.file_name().to_owned();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.found.len() + names.len() > self.manner.most {
                return Err(Missed::TooMuch);
            }
            self.budget.take()?;
            names.push(name);
        }
        Ok(names)
    }
}

/// Asked by the folder's descriptor, as there is no other way to name a file in it that is not
/// opened.
fn has_capabilities(folder: &Dir, name: &CStr) -> bool {
    let within = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    let path = within.join(OsStr::from_bytes(name.to_bytes()));
    xattr::get(path, CAPABILITIES).is_ok_and(|set| set.is_some())
}

/// A name as text; what is no text is escaped.
fn readable(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => name.to_owned(),
        Err(_) => name.escape_ascii().to_string(),
    }
}
