//! The file of the list: replaced whole, on the disk before anything that it names is applied.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use stint_hostfiles::{Look, Staged, open_dir, open_regular, read_all, remove};

use super::{Applied, Problem, parse, render};
use crate::domain::deadline::Mark;

/// What it is called, in the state's folder.
pub const FILE: &str = "applied";
const TEMPORARY: &str = ".applied.new";
const MODE: u32 = 0o600;
/// How old its moment may get while it says the same, in microseconds.
const OLD: i64 = 60_000_000;

/// Why the list is not as it should be.
#[derive(Debug)]
pub enum ListError {
    /// It cannot be read.
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It cannot be written.
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Write { path, error } => {
                write!(f, "{} cannot be written: {error}", path.display())
            }
        }
    }
}

impl std::error::Error for ListError {}

/// The list in its place, and what it says.
#[derive(Debug)]
pub struct List {
    dir: PathBuf,
    said: Applied,
    /// It says something else than what is known here, and is to be written whatever that is.
    unknown: bool,
}

impl List {
    /// That in this folder, of which nothing is known yet.
    #[must_use]
    pub fn unread(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), said: Applied::default(), unknown: true }
    }

    /// Reads the list in this folder, if there is one. What cannot be read is named.
    #[must_use]
    pub fn open(dir: &Path) -> (Self, Vec<String>) {
        let mut list = Self::unread(dir);
        let problems = list.reread();
        (list, problems)
    }

    /// Reads what it says now, if it is there. What cannot be read is named.
    pub fn reread(&mut self) -> Vec<String> {
        let (said, problems) = match Self::read(&self.dir) {
            Ok(Some((said, problems))) => {
                let path = self.dir.join(FILE);
                let name = |problem: Problem| format!("{}: {problem}", path.display());
                (said, problems.into_iter().map(name).collect())
            }
            Ok(None) => (Applied::default(), Vec::new()),
            Err(error) => (Applied::default(), vec![error.to_string()]),
        };
        self.said = said;
        self.unknown = !problems.is_empty();
        problems
    }

    fn read(dir: &Path) -> Result<Option<(Applied, Vec<Problem>)>, ListError> {
        let failed = |error| ListError::Read { path: dir.join(FILE), error };
        let folder = match open_dir(dir) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (file, _) = match open_regular(&folder, FILE) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let bytes = read_all(&file).map_err(failed)?;
        // A line that is no text has a sum that is wrong.
        Ok(Some(parse(&String::from_utf8_lossy(&bytes))))
    }

    /// What it says.
    #[must_use]
    pub fn said(&self) -> &Applied {
        &self.said
    }

    /// Has it say this too, before it is applied. What it says already stays.
    ///
    /// # Errors
    /// [`ListError`] when it cannot be written: then nothing new may be applied.
    pub fn add(&mut self, want: &Applied) -> Result<(), ListError> {
        if self.said.covers(want) && !self.unknown {
            return Ok(());
        }
        let mut both = self.said.clone();
        both.mark.clone_from(&want.mark);
        let more = want.clone();
        both.grants.extend(more.grants);
        both.members.extend(more.members);
        both.sessions.extend(more.sessions);
        both.owed.extend(more.owed);
        self.write(both)
    }

    /// Has it say this and nothing else. Where it does already, only its moment is renewed, and
    /// that only when it has become old.
    ///
    /// # Errors
    /// [`ListError`] when it cannot be written.
    pub fn set(&mut self, want: Applied) -> Result<(), ListError> {
        let is_fresh = |then: &Mark, now: &Mark| {
            then.boot_id == now.boot_id && now.at.boot.saturating_sub(then.at.boot) < OLD
        };
        let fresh = match (&self.said.mark, &want.mark) {
            (Some(then), Some(now)) => is_fresh(then, now),
            _ => false,
        };
        let same = self.said.says_the_same(&want) && !self.unknown;
        if same && (fresh || want.is_empty()) {
            return Ok(());
        }
        self.write(want)
    }

    /// The same, with its moment renewed however old it is: nobody will for a while.
    ///
    /// # Errors
    /// [`ListError`] when it cannot be written.
    pub fn renew(&mut self, want: Applied) -> Result<(), ListError> {
        if want.is_empty() { self.set(want) } else { self.write(want) }
    }

    fn write(&mut self, want: Applied) -> Result<(), ListError> {
        let done = if want.is_empty() { self.clear() } else { self.put(&render(&want)) };
        match done {
            Ok(()) => {
                self.said = want;
                self.unknown = false;
                Ok(())
            }
            Err(error) => {
                // It may be the old or the new one that is there.
                self.unknown = true;
                Err(ListError::Write { path: self.dir.join(FILE), error })
            }
        }
    }

    fn put(&self, text: &str) -> io::Result<()> {
        let folder = open_dir(&self.dir)?;
        Staged::write(&folder, TEMPORARY, text.as_bytes(), &Look::Mode(MODE))?.commit(FILE)
    }

    /// Without anything to say there is no file: nobody has to look what is in it.
    fn clear(&self) -> io::Result<()> {
        let folder = open_dir(&self.dir)?;
        if remove(&folder, FILE)? {
            folder.sync_all()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use stint_proto::{Timestamp, Uid};

    use super::*;
    use crate::applied::Held;
    use crate::clock::Moment;
    use crate::domain::deadline::{Deadline, Kept};
    use crate::domain::manner::Manner;

    fn applied(ids: &[&str], boot: i64) -> Applied {
        let at = Moment { wall: Timestamp::from_micros(boot), boot };
        let mark = Mark { boot_id: "b".to_owned(), at };
        let wall = Timestamp::from_micros(1 << 50);
        let until = Kept { deadline: Deadline { wall, boot: 1 << 40 }, boot_id: "b".to_owned() };
        let held = Held {
            user: "alice".parse().unwrap(),
            uid: Uid(1000),
            role: "admin".parse().unwrap(),
            until,
            manner: Manner::default(),
        };
        let grants = ids.iter().map(|id| (id.parse().unwrap(), held.clone())).collect();
        Applied { mark: Some(mark), grants, ..Applied::default() }
    }

    #[test]
    fn it_is_roots_alone_and_gone_when_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let (mut list, problems) = List::open(dir.path());
        assert_eq!(problems, [] as [&str; 0]);
        list.set(applied(&[], 1)).unwrap();
        assert!(!path.exists());
        list.add(&applied(&["g4t9"], 1)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        list.add(&applied(&["k2mf"], 2)).unwrap();
        let (again, _) = List::open(dir.path());
        assert_eq!(again.said().grants.len(), 2, "what it said before stays");
        list.set(applied(&["k2mf"], 3)).unwrap();
        assert_eq!(List::open(dir.path()).0.said(), &applied(&["k2mf"], 3));
        list.set(applied(&[], 4)).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn it_is_not_written_again_while_it_says_the_same_and_is_no_minute_old() {
        let dir = tempfile::tempdir().unwrap();
        let inode = || fs::metadata(dir.path().join(FILE)).unwrap().ino();
        let (mut list, _) = List::open(dir.path());
        list.set(applied(&["g4t9"], 1)).unwrap();
        let first = inode();
        list.add(&applied(&["g4t9"], OLD * 3)).unwrap();
        list.set(applied(&["g4t9"], OLD)).unwrap();
        assert_eq!(inode(), first);
        list.set(applied(&["g4t9"], OLD + 1)).unwrap();
        assert_eq!(list.said().mark.as_ref().unwrap().at.boot, OLD + 1);
        assert_eq!(List::open(dir.path()).0.said(), list.said());
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let (mut list, _) = List::open(&state);
        assert!(matches!(list.add(&applied(&["g4t9"], 1)), Err(ListError::Write { .. })));
        fs::create_dir(&state).unwrap();
        list.add(&applied(&["g4t9"], 1)).unwrap();
        assert_eq!(List::open(&state).0.said().grants.len(), 1);
    }

    #[test]
    fn a_damaged_one_is_named_and_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (mut list, _) = List::open(dir.path());
        list.set(applied(&["g4t9", "k2mf"], 1)).unwrap();
        let path = dir.path().join(FILE);
        let torn = fs::read_to_string(&path).unwrap().replace("k2mf", "k2m");
        fs::write(&path, torn).unwrap();
        let (mut list, problems) = List::open(dir.path());
        assert!(problems[0].ends_with(": line 5 is torn or was edited"), "{problems:?}");
        list.set(applied(&["g4t9"], 1)).unwrap();
        assert_eq!(List::open(dir.path()).1, [] as [&str; 0]);
    }
}
