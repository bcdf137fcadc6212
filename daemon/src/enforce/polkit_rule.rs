//! The polkit rule file, /etc/polkit-1/rules.d/40-stint.rules: written beside its place under a name
//! that polkit does not read, then renamed; polkit watches the folder. Without rules there is no
//! file. Never touches another file of polkit's, and never makes its folder.
//!
//! A question that polkit asks by a rule may be answered long after the rule is gone, and is a yes
//! then. So what takes such a rule away leaves a note first, which outlives this process and no
//! boot, that polkit is to be made to forget; making it is not done here.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::stat::{FileStat, lstat};
use stint_hostfiles::{Look, Staged, open_dir, open_regular, read_all, remove};
use stint_proto::GrantId;

pub use super::polkit_text::PolkitEntry;
use super::polkit_text::{read, render};
use super::whole_file::says;

/// The first rule of all that says anything decides, in the order of names: before what packages
/// bring, as a rule, and after 00- to 39-, where an administrator can have the first word.
const NAME: &str = "40-stint.rules";
/// polkit reads names that end in `.rules`, and no others.
const TEMPORARY: &str = ".40-stint.rules.new";
/// polkitd is an account of its own and has to read it; the folder keeps others out.
const MODE: u32 = 0o644;

/// The note, in a folder that is gone after a boot, as polkit's questions are.
const NOTE: &str = "polkit-remembers";

/// What was done to the rule file.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolkitOutcome {
    /// It said this already, or was absent and had to be.
    Unchanged,
    /// It was replaced.
    Written,
    /// There are no more rules, and no more file.
    Removed,
}

/// Why the rule file is as it was.
#[derive(Debug)]
pub enum PolkitRuleError {
    /// This host has no folder for polkit's rules.
    NoPolkit {
        /// Which is missing.
        dir: PathBuf,
    },
    /// The folder or the file cannot be used.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for PolkitRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPolkit { dir } => write!(
                f,
                "this host has no polkit that reads rules ({} is not there): install polkitd",
                dir.display()
            ),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for PolkitRuleError {}

/// The rule file in its place.
#[derive(Debug)]
pub struct PolkitRules {
    dir: PathBuf,
    notes: PathBuf,
    memory: Mutex<Memory>,
}

/// How many notes were left, and how many of them are done with.
#[derive(Debug, Default)]
struct Memory {
    noted: u64,
    done: u64,
}

impl PolkitRules {
    /// The host's own.
    #[must_use]
    pub fn of_host() -> Self {
        let (dir, notes) = ("/etc/polkit-1/rules.d".into(), "/run/stint".into());
        Self { dir, notes, memory: Mutex::default() }
    }

    /// Makes the file say this and nothing else.
    ///
    /// # Errors
    /// [`PolkitRuleError`]; the file is then as it was.
    pub fn bring_about(&self, entries: &[PolkitEntry]) -> Result<PolkitOutcome, PolkitRuleError> {
        let text = render(entries);
        let folder = match open_dir(&self.dir) {
            Ok(folder) => folder,
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(PolkitRuleError::File { path: self.dir.clone(), error });
            }
            Err(_) if text.is_none() => return Ok(PolkitOutcome::Unchanged),
            Err(_) => return Err(PolkitRuleError::NoPolkit { dir: self.dir.clone() }),
        };
        // What a crash, or a disk that became read-only, has left half-made.
        remove(&folder, TEMPORARY).map_err(self.file_error(TEMPORARY))?;
        if text.as_deref().is_some_and(|text| says(&folder, NAME, MODE, text)) {
            return Ok(PolkitOutcome::Unchanged);
        }
        if may_be_asking(&folder, entries) {
            let mut memory = self.memory();
            memory.noted += 1;
            // Where no note can be left, the rule goes all the same; it is in memory then.
            drop(File::create(self.notes.join(NOTE)));
        }
        let Some(text) = text else { return self.remove(&folder) };
        Staged::write(&folder, TEMPORARY, text.as_bytes(), &Look::Mode(MODE))
            .map_err(self.file_error(TEMPORARY))?
            .commit(NAME)
            .map_err(self.file_error(NAME))?;
        Ok(PolkitOutcome::Written)
    }

    /// The file in its place, if there is one.
    #[must_use]
    pub fn in_place(&self) -> Option<FileStat> {
        lstat(&self.dir.join(NAME)).ok()
    }

    /// Takes the rules of the grants out that `over` says are over, by the file's own text. Where the
    /// text is not stintd's all rules go: none stays that is over. What was in the way is told then.
    ///
    /// # Errors
    /// [`PolkitRuleError`]; the file is then as it was.
    pub fn take_out(
        &self,
        over: impl Fn(&GrantId) -> bool,
    ) -> Result<(PolkitOutcome, Option<String>), PolkitRuleError> {
        let opened = open_dir(&self.dir).and_then(|folder| open_regular(&folder, NAME));
        let text = match opened {
            Ok((file, _)) => read_all(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((PolkitOutcome::Unchanged, None));
            }
            Err(_) => None,
        };
        let Some(mut entries) = text.and_then(|text| read(&text).ok()) else {
            let why = format!("{} is not as stintd writes it", self.dir.join(NAME).display());
            return self.bring_about(&[]).map(|done| (done, Some(why)));
        };
        let count = entries.len();
        entries.retain(|entry| !over(&entry.grant));
        if entries.len() == count {
            return Ok((PolkitOutcome::Unchanged, None));
        }
        self.bring_about(&entries).map(|done| (done, None))
    }

    /// Whether polkit may still know something by rules that are gone: as of how many notes.
    #[must_use]
    pub fn remembers(&self) -> Option<u64> {
        let memory = self.memory();
        let owed = memory.noted > memory.done || self.notes.join(NOTE).exists();
        owed.then_some(memory.noted)
    }

    /// To be called when polkit has forgotten what it knew at a [`Self::remembers`].
    ///
    /// # Errors
    /// When the note stays.
    pub fn forgotten(&self, noted: u64) -> Result<(), PolkitRuleError> {
        let mut memory = self.memory();
        memory.done = memory.done.max(noted);
        if memory.noted > memory.done {
            return Ok(());
        }
        let path = self.notes.join(NOTE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PolkitRuleError::File { path, error })
            }
            _ => Ok(()),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Two numbers that only grow: a panic leaves nothing half done.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, folder: &File) -> Result<PolkitOutcome, PolkitRuleError> {
        if !remove(folder, NAME).map_err(self.file_error(NAME))? {
            return Ok(PolkitOutcome::Unchanged);
        }
        folder.sync_all().map_err(self.file_error(NAME))?;
        Ok(PolkitOutcome::Removed)
    }

    fn file_error(&self, name: &str) -> impl Fn(io::Error) -> PolkitRuleError {
        let path = self.dir.join(name);
        move |error| PolkitRuleError::File { path: path.clone(), error }
    }
}

/// Whether a rule is taken away by which polkit may be asking somebody for their password. What is
/// no text of stintd's may have been anything.
fn may_be_asking(folder: &File, entries: &[PolkitEntry]) -> bool {
    let old = match open_regular(folder, NAME).and_then(|(file, _)| read_all(&file)) {
        Ok(bytes) => bytes,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    let old = String::from_utf8(old).ok().and_then(|text| read(&text).ok());
    let goes_on = |old: &PolkitEntry| {
        entries.iter().any(|new| {
            (&new.grant, &new.user, new.uid) == (&old.grant, &old.user, old.uid)
                && new.password
                && new.expires_at >= old.expires_at
                && old.actions.iter().all(|action| new.actions.contains(action))
        })
    };
    old.is_none_or(|old| old.iter().any(|old| old.password && !goes_on(old)))
}

#[cfg(test)]
mod tests {
    use super::super::polkit_text::tests::entry;
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    struct Place {
        dir: tempfile::TempDir,
        notes: tempfile::TempDir,
    }

    impl Place {
        fn new() -> (Self, PolkitRules) {
            let place =
                Self { dir: tempfile::tempdir().unwrap(), notes: tempfile::tempdir().unwrap() };
            let (dir, notes) = (place.dir.path().to_owned(), place.notes.path().to_owned());
            (place, PolkitRules { dir, notes, memory: Mutex::default() })
        }

        fn file(&self) -> PathBuf {
            self.dir.path().join(NAME)
        }
    }

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn written_once_then_unchanged_then_removed() {
        let (place, rules) = Place::new();
        let entries = [entry("alice", &["org.x.a"])];
        assert_eq!(rules.bring_about(&[]).unwrap(), PolkitOutcome::Unchanged);
        assert_eq!(rules.bring_about(&entries).unwrap(), PolkitOutcome::Written);
        let metadata = fs::metadata(place.file()).unwrap();
        assert_eq!(metadata.mode() & 0o7777, MODE);
        fs::write(place.dir.path().join(TEMPORARY), "left by a crash").unwrap();
        assert_eq!(rules.bring_about(&entries).unwrap(), PolkitOutcome::Unchanged);
        assert_eq!(names(&place.dir), [NAME]);
        assert_eq!(fs::metadata(place.file()).unwrap().ino(), metadata.ino());
        assert_eq!(rules.bring_about(&[]).unwrap(), PolkitOutcome::Removed);
        assert!(names(&place.dir).is_empty());
    }

    #[test]
    fn what_is_over_is_taken_out_and_what_is_not_stints_goes_whole() {
        let (place, rules) = Place::new();
        let over = |id: &GrantId| id.as_str() == "g4t9";
        assert_eq!(rules.take_out(over).unwrap(), (PolkitOutcome::Unchanged, None));
        let one = entry("alice", &["org.x.a"]);
        let other = PolkitEntry { grant: "k2mf".parse().unwrap(), ..one.clone() };
        let _ = rules.bring_about(&[one, other.clone()]).unwrap();
        assert_eq!(rules.take_out(|_| false).unwrap(), (PolkitOutcome::Unchanged, None));
        assert_eq!(rules.take_out(over).unwrap(), (PolkitOutcome::Written, None));
        assert_eq!(rules.bring_about(&[other]).unwrap(), PolkitOutcome::Unchanged);
        fs::write(place.file(), "// somebody's\n").unwrap();
        let (done, why) = rules.take_out(|_| false).unwrap();
        assert_eq!(done, PolkitOutcome::Removed);
        assert!(why.unwrap().ends_with("/40-stint.rules is not as stintd writes it"));
        assert!(names(&place.dir).is_empty());
    }

    #[test]
    fn what_takes_away_a_rule_that_asks_leaves_a_note() {
        let (place, rules) = Place::new();
        let one = entry("alice", &["org.x.a", "org.x.b"]);
        let silent = PolkitEntry { password: false, grant: "ssss".parse().unwrap(), ..one.clone() };
        let later = "2026-12-01T18:00:00Z".parse().unwrap();
        let longer = PolkitEntry { expires_at: later, ..one.clone() };
        let less = PolkitEntry { actions: vec!["org.x.a".parse().unwrap()], ..longer.clone() };
        let open = PolkitEntry { password: false, ..one.clone() };
        let other = entry("bob", &["org.x.a", "org.x.b"]);
        let step = |entries: &[&PolkitEntry], noted: bool| {
            let entries: Vec<PolkitEntry> = entries.iter().map(|entry| (*entry).clone()).collect();
            let _ = rules.bring_about(&entries).unwrap();
            let owed = rules.remembers();
            assert_eq!(owed.is_some(), noted, "{entries:?}");
            rules.forgotten(owed.unwrap_or_default()).unwrap();
            assert_eq!(rules.remembers(), None);
        };
        step(&[&silent], false);
        step(&[], false);
        step(&[&one, &silent], false);
        step(&[&longer], false);
        step(&[&less], true);
        step(&[&longer], false);
        step(&[&one], true);
        step(&[&open], true);
        step(&[&one], false);
        step(&[&other], true);
        step(&[], true);
        step(&[], false);
        fs::write(place.file(), "// somebody's\n").unwrap();
        step(&[&silent], true);
    }

    #[test]
    fn where_no_note_can_be_left_the_rules_go_and_it_is_known_here() {
        let (place, mut rules) = Place::new();
        let _ = rules.bring_about(&[entry("alice", &["org.x.a"])]).unwrap();
        rules.notes = place.notes.path().join("gone");
        assert_eq!(rules.bring_about(&[]).unwrap(), PolkitOutcome::Removed);
        assert!(!place.file().exists());
        let owed = rules.remembers().unwrap();
        rules.forgotten(owed).unwrap();
        assert_eq!(rules.remembers(), None);
    }

    #[test]
    fn what_is_noted_meanwhile_is_not_forgotten_and_a_note_outlives_who_left_it() {
        let (place, rules) = Place::new();
        let take = || {
            let _ = rules.bring_about(&[entry("alice", &["org.x.a"])]).unwrap();
            let _ = rules.bring_about(&[]).unwrap();
        };
        take();
        let first = rules.remembers().unwrap();
        take();
        rules.forgotten(first).unwrap();
        let (dir, notes) = (place.dir.path().to_owned(), place.notes.path().to_owned());
        let next = PolkitRules { dir, notes, memory: Mutex::default() };
        let owed = next.remembers().unwrap();
        assert!(rules.remembers().is_some_and(|second| second > first));
        next.forgotten(owed).unwrap();
        assert!(names(&place.notes).is_empty());
    }

    #[test]
    fn without_polkits_folder_none_is_made() {
        let (place, mut rules) = Place::new();
        rules.dir = place.dir.path().join("rules.d");
        let error = rules.bring_about(&[entry("alice", &["org.x.a"])]).unwrap_err();
        assert!(matches!(error, PolkitRuleError::NoPolkit { .. }), "{error}");
        assert_eq!(rules.bring_about(&[]).unwrap(), PolkitOutcome::Unchanged);
        assert!(names(&place.dir).is_empty());
    }

    #[test]
    fn links_are_replaced_or_refused_and_never_followed() {
        let (place, mut rules) = Place::new();
        let entries = [entry("alice", &["org.x.a"])];
        let other = place.dir.path().join("other");
        fs::write(&other, "theirs").unwrap();
        symlink("other", place.file()).unwrap();
        symlink("other", place.dir.path().join(TEMPORARY)).unwrap();
        assert_eq!(rules.bring_about(&entries).unwrap(), PolkitOutcome::Written);
        assert_eq!(fs::read(other).unwrap(), b"theirs");
        assert!(fs::symlink_metadata(place.file()).unwrap().is_file());
        let outside = tempfile::tempdir().unwrap();
        rules.dir = place.dir.path().join("rules.d");
        symlink(outside.path(), &rules.dir).unwrap();
        assert!(matches!(rules.bring_about(&entries), Err(PolkitRuleError::File { .. })));
        assert!(names(&outside).is_empty());
    }
}
