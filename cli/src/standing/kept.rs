//! What was changed, and how it was before: one file that is written before each change, and copies
//! of files beside it. Whoever comes after a crash finds in it all that may have been done.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use stint_policy::text::harmless;
use stint_proto::STATE_DIR;

use crate::failure::Failure;

/// Where it is kept.
const FOLDER: &str = "/var/lib/stint/standing";
const FILE: &str = "adopted.json";

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// These were taken out of a group that had these members.
    Group {
        /// Which.
        group: String,
        /// Its members before, in their order.
        before: Vec<String>,
        /// Who was taken out.
        users: Vec<String>,
    },
    /// A file was changed; how it was before is in the copy.
    File {
        /// Which.
        path: String,
        /// The name of the copy, beside this file.
        copy: String,
        /// What it was changed to, to know whether somebody else has changed it since.
        after: String,
    },
    /// A policy file was written.
    Policy {
        /// Which.
        path: String,
        /// What it says.
        text: String,
    },
}

/// Everything that was changed and not given back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The changes, in their order.
    pub changes: Vec<Change>,
    /// What the daemon has not recorded yet: whether it was adopted, and a line each.
    pub untold: Vec<(bool, String)>,
    #[serde(skip)]
    folder: PathBuf,
}

/// Held for as long as something is adopted or given back: nobody else does at the same time.
///
/// # Errors
/// When somebody does, or the state's folder is not there.
pub fn alone() -> Result<Flock<File>, Failure> {
    let folder =
        File::open(STATE_DIR).map_err(|error| Failure::failed(format!("{STATE_DIR}: {error}")))?;
    Flock::lock(folder, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
        Failure::failed(match error {
            Errno::EWOULDBLOCK => "another stint standing is at work; wait for its end".to_owned(),
            other => format!("{STATE_DIR}: {}", other.desc()),
        })
    })
}

impl Kept {
    /// Reads what there is.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read() -> Result<Self, Failure> {
        Self::read_in(Path::new(FOLDER))
    }

    /// The same of another folder.
    pub(super) fn read_in(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let shown = harmless(&path.to_string_lossy());
        let kept: Self = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                Failure::failed(format!(
                    "{shown} says what was adopted, and cannot be read: {error}"
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(Failure::failed(format!("{shown}: {error}"))),
        };
        Ok(Self { folder: folder.to_owned(), ..kept })
    }

    /// Whether there is nothing to give back and nothing to record.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.untold.is_empty()
    }

    /// Writes it down, for good; a file that says nothing is removed.
    ///
    /// # Errors
    /// When it cannot be written: then nothing may be changed.
    pub fn write(&self) -> Result<(), Failure> {
        let wrong = |error: io::Error| {
            let folder = harmless(&self.folder.to_string_lossy());
            Failure::failed(format!("{folder}: {error}; nothing more was changed"))
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(wrong)?;
        if self.is_empty() {
            return fs::remove_dir_all(&self.folder).map_err(wrong);
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| wrong(error.into()))?;
        stint_hostfiles::put_file(&self.folder.join(FILE), &text, 0o600).map_err(Failure::failed)
    }

    /// Keeps a copy of a file that is to be changed, and writes the change down.
    ///
    /// # Errors
    /// As [`Kept::write`].
    pub fn file(&mut self, path: &str, before: &[u8], after: &str) -> Result<(), Failure> {
        let taken = |name: &String| {
            self.changes.iter().any(|one| matches!(one, Change::File { copy, .. } if copy == name))
        };
        // One more than there are changes is always free.
        let mut names = (0..=self.changes.len()).map(|number| format!("file-{number}"));
        let copy = names.find(|name| !taken(name)).unwrap_or_default();
        // Makes the folder as well.
        self.write_folder()?;
        stint_hostfiles::put_file(&self.folder.join(&copy), before, 0o600)
            .map_err(Failure::failed)?;
        let after = after.to_owned();
        self.changes.push(Change::File { path: path.to_owned(), copy, after });
        self.write()
    }

    fn write_folder(&self) -> Result<(), Failure> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| {
            let folder = harmless(&self.folder.to_string_lossy());
            Failure::failed(format!("{folder}: {error}; nothing was changed"))
        })
    }

    /// A copy.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn copy(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let path = self.folder.join(name);
        fs::read(&path).map_err(|error| {
            Failure::failed(format!("{}: {error}", harmless(&path.to_string_lossy())))
        })
    }

    /// A place for a file that is to be tried.
    pub fn trial(&self) -> PathBuf {
        self.folder.join("trial")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_down_is_read_again_and_goes_when_all_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("standing");
        let mut kept = Kept::read_in(&folder).unwrap();
        assert_eq!(kept.changes, []);
        kept.file("/etc/sudoers", b"\xff before", "after").unwrap();
        let group = Change::Group {
            group: "sudo".to_owned(),
            before: vec!["alice".to_owned()],
            users: vec!["alice".to_owned()],
        };
        kept.changes.push(group);
        kept.untold.push((true, "alice".to_owned()));
        kept.write().unwrap();
        let mut again = Kept::read_in(&folder).unwrap();
        assert_eq!(again, kept);
        assert_eq!(again.copy("file-0").unwrap(), b"\xff before");
        again.file("/etc/sudoers", b"two", "after").unwrap();
        again.changes.remove(0);
        again.file("/etc/sudoers", b"three", "after").unwrap();
        assert_eq!(again.copy("file-1").unwrap(), b"two", "no copy is written over");
        again.changes.clear();
        again.untold.clear();
        again.write().unwrap();
        assert!(!folder.exists());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(FILE), "{").unwrap();
        assert!(Kept::read_in(&folder).is_err());
    }
}
