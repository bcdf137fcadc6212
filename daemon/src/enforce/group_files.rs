//! Memberships in /etc/group and /etc/gshadow, read and written under the locks of shadow-utils.
//! Changes the member field of the groups asked for and nothing else.
//!
//! gshadow is replaced first and group last. Names are looked up in group, so the last rename is
//! the one that counts: after a crash between the two nothing has taken effect, `grpck -r` names
//! the difference without failing, and doing the same change again mends it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stint_proto::GroupName;

use super::change::{Action, Change, Intend, Membership, Outcome, foresee_all};
use super::etc_locks::{EtcLocks, LockError};
use super::group_text::{BadLine, GroupText};
use super::wait::Patience;
use stint_hostfiles::{Look, Staged, open_dir, open_regular, read_all, remove};

/// How long locks are waited for: as long as shadow-utils does.
const PATIENCE: Duration = Duration::from_secs(15);

/// The folder with group and gshadow.
#[derive(Clone, Debug)]
pub struct Etc {
    /// Where it is: /etc.
    pub dir: PathBuf,
    /// How long its locks are waited for.
    pub patience: Duration,
}

/// Why a batch of changes was not made. Nothing was changed.
#[derive(Debug)]
pub enum GroupFilesError {
    /// The locks could not be had.
    Lock(LockError),
    /// A file could not be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file could not be written. It is as before; gshadow may be ahead of group, which doing
    /// the same again mends.
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The intention could not be made durable.
    Intend(String),
    /// A group is not in the file in a form that can be changed.
    Group {
        /// Which.
        group: GroupName,
        /// In which file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
        /// What would be right.
        hint: &'static str,
    },
}

impl fmt::Display for GroupFilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(error) => error.fmt(f),
            Self::Read { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write { path, error } => {
                write!(f, "{} cannot be written: {error}", path.display())
            }
            Self::Intend(why) => write!(f, "the change could not be recorded first: {why}"),
            Self::Group { group, path, why, hint } => {
                write!(f, "group {group} {why} {}: {hint}", path.display())
            }
        }
    }
}

impl std::error::Error for GroupFilesError {}

impl Etc {
    /// The host's own.
    #[must_use]
    pub fn of_host() -> Self {
        Self { dir: "/etc".into(), patience: PATIENCE }
    }

    /// Makes a batch of changes with one rewrite a file; the outcomes are in the batch's order.
    ///
    /// # Errors
    /// [`GroupFilesError`] when nothing could be changed. What stands in the way of one change
    /// alone is that change's [`Outcome::Failed`].
    pub fn apply(
        &self,
        changes: &[Change],
        intend: &mut Intend<'_>,
    ) -> Result<Vec<Outcome>, GroupFilesError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let folder = open_dir(&self.dir)
            .map_err(|error| GroupFilesError::Read { path: self.dir.clone(), error })?;
        let mut patience = Patience::of(self.patience);
        let locks =
            EtcLocks::take(&self.dir, &folder, &mut patience).map_err(GroupFilesError::Lock)?;
        let mut group = Opened::open(&self.dir, &folder, "group")?;
        let mut gshadow = Opened::open_if_there(&self.dir, &folder, "gshadow")?;
        let foresee = |change: &Change| edit(&mut group, gshadow.as_mut(), change);
        let outcomes = foresee_all(changes, foresee, intend).map_err(GroupFilesError::Intend)?;
        if let Some(gshadow) = &gshadow {
            gshadow.write(&folder)?;
        }
        group.write(&folder)?;
        drop(locks);
        Ok(outcomes)
    }

    /// Waits until nobody who keeps to the locks is changing accounts, as long as for a change.
    ///
    /// # Errors
    /// [`GroupFilesError`] when somebody still is.
    pub fn settle(&self) -> Result<(), GroupFilesError> {
        let folder = open_dir(&self.dir)
            .map_err(|error| GroupFilesError::Read { path: self.dir.clone(), error })?;
        let mut patience = Patience::of(self.patience);
        EtcLocks::take(&self.dir, &folder, &mut patience).map(drop).map_err(GroupFilesError::Lock)
    }

    /// Which of these members the groups' lines do not name. Takes no lock: the file is replaced by
    /// rename. Where it cannot be read whole, or a group has no line, nothing is said of it.
    #[must_use]
    pub fn missing(&self, memberships: &BTreeSet<Membership>) -> BTreeSet<Membership> {
        let read = open_dir(&self.dir)
            .and_then(|folder| open_regular(&folder, "group"))
            .and_then(|(file, _)| read_all(&file));
        let Ok(bytes) = read else { return BTreeSet::new() };
        let mut text = GroupText::parse(&bytes);
        if !text.is_whole() {
            return BTreeSet::new();
        }
        let gone = |(user, group): &&Membership| text.has(group, user) == Ok(false);
        memberships.iter().filter(gone).cloned().collect()
    }
}

/// One of the two files, as it was and as it shall be.
struct Opened {
    path: PathBuf,
    name: &'static str,
    file: File,
    metadata: Metadata,
    text: GroupText,
    changed: bool,
}

impl Opened {
    fn open(dir: &Path, folder: &File, name: &'static str) -> Result<Self, GroupFilesError> {
        let path = dir.join(name);
        let read = open_regular(folder, name)
            .and_then(|(file, metadata)| Ok((read_all(&file)?, file, metadata)));
        match read {
            Ok((bytes, file, metadata)) => {
                let text = GroupText::parse(&bytes);
                Ok(Self { path, name, file, metadata, text, changed: false })
            }
            Err(error) => Err(GroupFilesError::Read { path, error }),
        }
    }

    fn open_if_there(
        dir: &Path,
        folder: &File,
        name: &'static str,
    ) -> Result<Option<Self>, GroupFilesError> {
        match Self::open(dir, folder, name) {
            Ok(opened) => Ok(Some(opened)),
            Err(GroupFilesError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the text is another for it; of what is to be kept, whether it is missing.
    fn change(&mut self, change: &Change) -> Result<bool, BadLine> {
        let (user, group) = &change.membership;
        let changed = match change.action {
            Action::Add => self.text.add(group, user)?,
            Action::Keep => return Ok(self.text.is_whole() && !self.text.has(group, user)?),
            Action::Remove => self.text.remove(group, user)?,
        };
        self.changed |= changed;
        Ok(changed)
    }

    fn write(&self, folder: &File) -> Result<(), GroupFilesError> {
        let temp = format!(".{}.stint", self.name);
        let write = || {
            if !self.changed {
                // What a crash may have left half-made is nobody's to write over any more.
                return remove(folder, &temp).map(drop);
            }
            let look = Look::Like(&self.file, &self.metadata);
            Staged::write(folder, &temp, &self.text.bytes(), &look)?.commit(self.name)
        };
        write().map_err(|error| GroupFilesError::Write { path: self.path.clone(), error })
    }
}

fn edit(group: &mut Opened, mut gshadow: Option<&mut Opened>, change: &Change) -> Outcome {
    let name = &change.membership.1;
    // gshadow is asked first whether it can be changed, so that the two do not part. What is taken
    // back is taken back all the same: group is what counts.
    if let Some(gshadow) = gshadow.as_deref_mut()
        && change.action == Action::Add
    {
        match gshadow.text.has(name, &change.membership.0) {
            Ok(_) | Err(BadLine::Absent) => {}
            Err(bad) => return Outcome::Failed(unclear(bad, name, &gshadow.path).to_string()),
        }
    }
    let changed = match group.change(change) {
        Ok(changed) => changed,
        Err(BadLine::Absent) if change.action == Action::Remove => false,
        Err(bad) => return Outcome::Failed(unclear(bad, name, &group.path).to_string()),
    };
    // A standing member is left as found, in gshadow too. What is taken back is taken out of both,
    // wherever a crash may have left it. A group that gshadow lacks stays lacking there: an entry
    // made here would carry a password field that is not ours to choose.
    if ((changed && change.action == Action::Add) || change.action == Action::Remove)
        && let Some(gshadow) = gshadow.as_mut()
    {
        // Any bad line is one that was looked at above, or one that must not stop a removal.
        let _ = gshadow.change(change);
    }
    match (change.action, changed) {
        (Action::Add, true) => Outcome::Added,
        (Action::Keep, true) => Outcome::Missing,
        (Action::Add | Action::Keep, false) => Outcome::AlreadyMember,
        (Action::Remove, true) => Outcome::Removed,
        (Action::Remove, false) => Outcome::WasNotMember,
    }
}

fn unclear(bad: BadLine, group: &GroupName, path: &Path) -> GroupFilesError {
    let (why, hint) = match bad {
        BadLine::Absent => (
            "is not in",
            "if it comes from a directory such as LDAP, set backend = \"userdb\" under [groups]",
        ),
        BadLine::Twice => ("stands more than once in", "leave one line of it (see grpck)"),
        BadLine::Malformed { .. } => {
            ("has a line without exactly four fields in", "mend it (see grpck)")
        }
    };
    GroupFilesError::Group { group: group.clone(), path: path.to_owned(), why, hint }
}

#[cfg(test)]
mod tests;
