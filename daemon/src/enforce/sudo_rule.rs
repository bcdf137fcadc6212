//! The sudo rule file, /etc/sudoers.d/stint: written beside its place under a name that sudo
//! ignores, pleasing every installed checker, then renamed. Without rules there is no file. Never
//! touches another file.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, SFlag, fstatat, lstat};
use sha2::{Digest, Sha256};
use stint_proto::GrantId;

use super::run::{RunError, run};
use super::sudo_probe::SudoProbe;
pub use super::sudo_text::SudoEntry;
use super::sudo_text::{render, without};
use super::wait::Patience;
use super::whole_file::{looks_right, says};
use stint_hostfiles::{Look, Staged, open_dir, open_regular, read_all, remove};

const NAME: &str = "stint";
/// sudo and sudo-rs skip files with a dot in their name.
const TEMPORARY: &str = ".stint.new";
const MODE: u32 = 0o440;
/// How long a file may be away while it is edited.
const EDITING: Duration = Duration::from_millis(300);
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// What was done to the rule file.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SudoOutcome {
    /// It said this already, or was absent and had to be.
    Unchanged,
    /// It was replaced.
    Written,
    /// There are no more rules, and no more file.
    Removed,
}

/// What is in the rule file's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesFound {
    /// No file, in a folder that is there.
    Nothing,
    /// A file as stint makes it, with a text of this digest.
    Text([u8; 32]),
    /// Something that sudo would not read as stint's file.
    Odd {
        /// What is wrong with it.
        how: &'static str,
    },
}

/// Why the rule file is as it was.
#[derive(Debug)]
pub enum SudoRuleError {
    /// The folder or the file cannot be used.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Nothing on this host can check the rules.
    NoChecker,
    /// A checker did not end by itself.
    Check(RunError),
    /// A checker found the new rules wrong.
    Refused {
        /// Which checker.
        checker: PathBuf,
        /// What it said, escaped.
        said: String,
    },
}

impl fmt::Display for SudoRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NoChecker => f.write_str(
                "no visudo is installed that could check the sudo rules: install sudo or sudo-rs",
            ),
            Self::Check(error) => write!(f, "the sudo rules could not be checked: {error}"),
            Self::Refused { checker, said } => {
                write!(f, "{} refuses the sudo rules: {said}", checker.display())
            }
        }
    }
}

impl std::error::Error for SudoRuleError {}

/// The rule file in its place.
#[derive(Clone, Debug)]
pub struct SudoRules {
    dir: PathBuf,
    probe: fn() -> SudoProbe,
}

impl SudoRules {
    /// The host's own.
    #[must_use]
    pub fn of_host() -> Self {
        Self { dir: "/etc/sudoers.d".into(), probe: SudoProbe::of_host }
    }

    /// Makes the file say this and nothing else. The host is looked at anew each time, as a sudo
    /// may have come or gone.
    ///
    /// # Errors
    /// [`SudoRuleError`]; the file is then as it was.
    pub fn bring_about(&self, entries: &[SudoEntry<'_>]) -> Result<SudoOutcome, SudoRuleError> {
        if entries.iter().all(|entry| entry.rules.is_empty()) {
            return self.remove();
        }
        let probe = (self.probe)();
        let text = render(entries, probe.understands_notafter());
        let Some(text) = text else { return self.remove() };
        let folder = self.folder()?;
        self.tidy(&folder)?;
        if says(&folder, NAME, MODE, &text) {
            return Ok(SudoOutcome::Unchanged);
        }
        self.staged(&folder, &text, &probe)?.commit(NAME).map_err(self.file_error(NAME))?;
        Ok(SudoOutcome::Written)
    }

    /// The file in its place, if there is one.
    #[must_use]
    pub fn in_place(&self) -> Option<FileStat> {
        lstat(&self.dir.join(NAME)).ok()
    }

    /// Takes the rules of the grants out that `over` says are over, by the file's own text. Where
    /// that cannot be done with them alone, as the text is not stintd's or cannot be written again,
    /// all rules go: none stays that is over. What was in the way is told then.
    ///
    /// # Errors
    /// [`SudoRuleError`] when the file can neither be written nor removed.
    pub fn take_out(
        &self,
        over: impl Fn(&GrantId) -> bool,
    ) -> Result<(SudoOutcome, Option<String>), SudoRuleError> {
        let Some(folder) = self.folder_if_there()? else {
            return Ok((SudoOutcome::Unchanged, None));
        };
        let text = match open_regular(&folder, NAME) {
            Ok((file, _)) => read_all(&file).ok().and_then(|bytes| String::from_utf8(bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((SudoOutcome::Unchanged, None));
            }
            Err(_) => None,
        };
        let why = match text.as_deref().map(|text| (text, without(text, over))) {
            Some((text, Ok(Some(left)))) if left == text => {
                return Ok((SudoOutcome::Unchanged, None));
            }
            Some((_, Ok(None))) => return self.remove().map(|done| (done, None)),
            Some((_, Ok(Some(left)))) => {
                let staged = self.staged(&folder, &left, &(self.probe)());
                let done = staged.and_then(|new| new.commit(NAME).map_err(self.file_error(NAME)));
                match done {
                    Ok(()) => return Ok((SudoOutcome::Written, None)),
                    Err(error) => error.to_string(),
                }
            }
            Some((_, Err(_))) | None => {
                format!("{} is not as stintd writes it", self.dir.join(NAME).display())
            }
        };
        self.remove().map(|done| (done, Some(why)))
    }

    /// Looks at what is in the file's place; `None` where that cannot be seen.
    #[must_use]
    pub fn look(&self) -> Option<RulesFound> {
        let folder = open_dir(&self.dir).ok()?;
        match fstatat(&folder, NAME, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Some(RulesFound::Nothing),
            Err(_) => return None,
            Ok(stat)
                if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG =>
            {
                return Some(RulesFound::Odd { how: "it is no file" });
            }
            Ok(_) => {}
        }
        let (file, metadata) = open_regular(&folder, NAME).ok()?;
        if !looks_right(&metadata, MODE) {
            return Some(RulesFound::Odd { how: "its owner or mode is another" });
        }
        Some(RulesFound::Text(Sha256::digest(read_all(&file).ok()?).into()))
    }

    /// The same, where nothing was found: editors move a file away before they write it anew. Waits
    /// a moment for that.
    #[must_use]
    pub fn look_again(&self) -> Option<RulesFound> {
        let mut patience = Patience::of(EDITING);
        loop {
            let found = self.look();
            if found != Some(RulesFound::Nothing) || !patience.pause() {
                return found;
            }
        }
    }

    /// Whether [`Self::bring_about`] could write these rules; writes none.
    ///
    /// # Errors
    /// [`SudoRuleError`] when it could not.
    pub fn check(&self, entries: &[SudoEntry<'_>]) -> Result<(), SudoRuleError> {
        let probe = (self.probe)();
        let text = render(entries, probe.understands_notafter());
        let Some(text) = text else { return Ok(()) };
        let folder = self.folder()?;
        self.staged(&folder, &text, &probe).map(drop)
    }

    /// The new file, whole and checked, under its temporary name.
    fn staged<'a>(
        &self,
        folder: &'a File,
        text: &str,
        probe: &SudoProbe,
    ) -> Result<Staged<'a>, SudoRuleError> {
        if probe.checkers.is_empty() {
            return Err(SudoRuleError::NoChecker);
        }
        let staged = Staged::write(folder, TEMPORARY, text.as_bytes(), &Look::Mode(MODE))
            .map_err(self.file_error(TEMPORARY))?;
        let path = self.dir.join(TEMPORARY);
        for checker in &probe.checkers {
            let args = [Path::new("-c"), Path::new("-f"), &path];
            let ran = run(checker, &args, CHECK_LIMIT).map_err(SudoRuleError::Check)?;
            if !ran.success {
                let said = ran.output.trim().escape_debug().to_string();
                return Err(SudoRuleError::Refused { checker: checker.clone(), said });
            }
        }
        Ok(staged)
    }

    fn remove(&self) -> Result<SudoOutcome, SudoRuleError> {
        let Some(folder) = self.folder_if_there()? else { return Ok(SudoOutcome::Unchanged) };
        self.tidy(&folder)?;
        if !remove(&folder, NAME).map_err(self.file_error(NAME))? {
            return Ok(SudoOutcome::Unchanged);
        }
        folder.sync_all().map_err(self.file_error(NAME))?;
        Ok(SudoOutcome::Removed)
    }

    fn folder_if_there(&self) -> Result<Option<File>, SudoRuleError> {
        match open_dir(&self.dir) {
            Ok(folder) => Ok(Some(folder)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(SudoRuleError::File { path: self.dir.clone(), error }),
        }
    }

    /// Removes what a crash, or a disk that became read-only, has left half-made.
    fn tidy(&self, folder: &File) -> Result<(), SudoRuleError> {
        remove(folder, TEMPORARY).map(drop).map_err(self.file_error(TEMPORARY))
    }

    fn folder(&self) -> Result<File, SudoRuleError> {
        let failed = |error| SudoRuleError::File { path: self.dir.clone(), error };
        match open_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(0o750).create(&self.dir).map_err(failed)?;
                open_dir(&self.dir).map_err(failed)
            }
            other => other.map_err(failed),
        }
    }

    fn file_error(&self, name: &str) -> impl Fn(io::Error) -> SudoRuleError {
        let path = self.dir.join(name);
        move |error| SudoRuleError::File { path: path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sudo_text::tests::Given;
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use stint_policy::RunAs;

    fn with(checkers: &[&str]) -> SudoProbe {
        let checkers = checkers.iter().map(PathBuf::from).collect();
        SudoProbe { checkers, ..SudoProbe::default() }
    }

    fn at(dir: &tempfile::TempDir, probe: fn() -> SudoProbe) -> SudoRules {
        SudoRules { dir: dir.path().to_owned(), probe }
    }

    fn names(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_one_checker_refuses_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("stint"), "old").unwrap();
        let given = Given::with(RunAs::All, &["ALL"]);
        let refusing = at(&dir, || with(&["/bin/true", "/bin/false"]));
        for refused in
            [refusing.bring_about(&[given.entry()]).map(drop), refusing.check(&[given.entry()])]
        {
            assert!(matches!(refused, Err(SudoRuleError::Refused { .. })), "{refused:?}");
        }
        let none = at(&dir, || with(&[]));
        assert!(matches!(none.bring_about(&[given.entry()]), Err(SudoRuleError::NoChecker)));
        assert_eq!(fs::read(dir.path().join("stint")).unwrap(), b"old");
        assert_eq!(names(&dir), ["stint"]);
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", dir.path().join("sudoers.d")).unwrap();
        let rules = SudoRules { dir: dir.path().join("sudoers.d"), probe: || with(&["/bin/true"]) };
        let given = Given::with(RunAs::All, &["ALL"]);
        assert!(matches!(rules.bring_about(&[given.entry()]), Err(SudoRuleError::File { .. })));
    }

    #[test]
    fn written_once_then_unchanged_then_removed() {
        let dir = tempfile::tempdir().unwrap();
        let rules = at(&dir, || with(&["/bin/true"]));
        let given = Given::with(RunAs::All, &["ALL"]);
        let entries = [given.entry()];
        rules.check(&entries).unwrap();
        assert!(names(&dir).is_empty());
        assert_eq!(rules.bring_about(&[]).unwrap(), SudoOutcome::Unchanged);
        assert_eq!(rules.bring_about(&entries).unwrap(), SudoOutcome::Written);
        let metadata = fs::metadata(dir.path().join("stint")).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o440);
        fs::write(dir.path().join(TEMPORARY), "left by a crash").unwrap();
        assert_eq!(rules.bring_about(&entries).unwrap(), SudoOutcome::Unchanged);
        assert_eq!(names(&dir), ["stint"]);
        assert_eq!(fs::metadata(dir.path().join("stint")).unwrap().ino(), metadata.ino());
        fs::write(dir.path().join(TEMPORARY), "left by a crash").unwrap();
        let written = rules.look().unwrap();
        assert!(matches!(written, RulesFound::Text(_)), "{written:?}");
        let file = dir.path().join("stint");
        fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(rules.look(), Some(RulesFound::Odd { .. })));
        fs::write(&file, "edited").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o440)).unwrap();
        assert!(rules.look().is_some_and(|found| found != written), "an edit is not seen");
        assert_eq!(rules.bring_about(&[]).unwrap(), SudoOutcome::Removed);
        assert_eq!(rules.look(), Some(RulesFound::Nothing));
        assert!(names(&dir).is_empty());
    }

    #[test]
    fn what_cannot_be_taken_out_alone_goes_with_all_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let given = Given::with(RunAs::All, &["ALL"]);
        let other = Given { grant: "k2mf".parse().unwrap(), ..Given::with(RunAs::All, &["ALL"]) };
        let over = |id: &GrantId| id.as_str() == "g4t9";
        let (good, refusing) =
            (at(&dir, || with(&["/bin/true"])), at(&dir, || with(&["/bin/false"])));
        assert_eq!(good.take_out(over).unwrap(), (SudoOutcome::Unchanged, None));
        let both = [given.entry(), other.entry()];
        let _ = good.bring_about(&both).unwrap();
        assert_eq!(good.take_out(|_| false).unwrap(), (SudoOutcome::Unchanged, None));
        assert_eq!(good.take_out(over).unwrap(), (SudoOutcome::Written, None));
        assert_eq!(good.bring_about(&[other.entry()]).unwrap(), SudoOutcome::Unchanged);
        assert_eq!(good.take_out(|_| true).unwrap(), (SudoOutcome::Removed, None));

        let _ = good.bring_about(&both).unwrap();
        let (done, why) = refusing.take_out(over).unwrap();
        assert_eq!(done, SudoOutcome::Removed);
        assert!(why.unwrap().contains("/bin/false refuses"));
        fs::write(dir.path().join("stint"), "alice ALL=(ALL) ALL\n").unwrap();
        let (done, why) = good.take_out(|_| false).unwrap();
        assert_eq!(done, SudoOutcome::Removed);
        assert!(why.unwrap().ends_with("/stint is not as stintd writes it"));
        assert!(names(&dir).is_empty());
    }

    #[test]
    fn a_link_in_its_place_is_replaced_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("other"), "theirs").unwrap();
        std::os::unix::fs::symlink("other", dir.path().join("stint")).unwrap();
        std::os::unix::fs::symlink("other", dir.path().join(".stint.new")).unwrap();
        let given = Given::with(RunAs::All, &["ALL"]);
        let written = at(&dir, || with(&["/bin/true"])).bring_about(&[given.entry()]).unwrap();
        assert_eq!(written, SudoOutcome::Written);
        assert_eq!(fs::read(dir.path().join("other")).unwrap(), b"theirs");
        assert!(fs::symlink_metadata(dir.path().join("stint")).unwrap().is_file());
    }
}
