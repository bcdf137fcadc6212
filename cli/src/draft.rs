//! A file that somebody asked for, as it is being written: whole under its name at the end, or not
//! there at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use stint_policy::text::quoted;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::signals::{Came, Held, die_of, is_ignored};

/// Dropped without [`Draft::keep`] it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
    replaces: bool,
}

impl Draft {
    /// Begins a file that its owner alone may read.
    ///
    /// # Errors
    /// When it is there and not to be replaced, is no ordinary file, or its folder cannot be
    /// written to.
    pub fn begin(path: &Path, replaces: bool) -> Result<Self, Failure> {
        let name = quoted(&path.to_string_lossy());
        match path.symlink_metadata() {
            Ok(there) if !there.is_file() => {
                return Err(Failure::usage(format!("{name} is no ordinary file")));
            }
            Ok(_) if !replaces => return Err(is_there(path)),
            Ok(_) | Err(_) => {}
        }
        // Its own folder, so that it can be put in place by its name alone.
        let file = tempfile::Builder::new().prefix(".stint-").tempfile_in(folder(path));
        let file = file.map_err(|error| Failure::failed(format!("{name}: {}", error.kind())))?;
        Ok(Self { file: BufWriter::new(file), path: path.to_owned(), replaces })
    }

    /// Puts it in its place, on disk.
    ///
    /// # Errors
    /// When it cannot be, or somebody else has put a file there meanwhile.
    pub fn keep(self) -> Result<(), Failure> {
        let Self { file, path, replaces } = self;
        let failed = |error: io::Error| {
            Failure::failed(format!("{}: {error}", quoted(&path.to_string_lossy())))
        };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        let kept = if replaces { file.persist(&path) } else { file.persist_noclobber(&path) };
        match kept {
            Ok(_) => sync(folder(&path)).map_err(failed),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(is_there(&path))
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Signals that would end this process, and leave a draft behind.
#[derive(Debug)]
pub struct Tidy(Held);

impl Tidy {
    /// Holds them back from now on: to be called before anything that starts threads.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hold() -> Result<Self, Failure> {
        let mut signals = vec![Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        // Under nohup a hangup ends nothing.
        signals.retain(|signal| !is_ignored(*signal));
        Held::hold(&signals).map(Self)
    }

    /// Has the process die of them without a trace of this draft, from now on.
    pub fn after(self, draft: &Draft) {
        let beside = draft.file.get_ref().path().to_owned();
        // A thread of its own: stintd may let this one wait.
        std::thread::spawn(move || clean_up(self.0, &beside));
    }
}

/// Waits for a signal, and dies of it.
fn clean_up(signals: Held, beside: &Path) {
    loop {
        match signals.or(None, Duration::MAX) {
            Ok(Came::Signal(signal)) => {
                // In its place already, or never to be.
                let _ = std::fs::remove_file(beside);
                drop(signals);
                return die_of(signal);
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file is there, and was not to be replaced.
fn is_there(path: &Path) -> Failure {
    let name = quoted(&path.to_string_lossy());
    Failure::usage(format!("{name} is there already: add --replace, or name another file"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let mut draft = Draft::begin(&path, false).unwrap();
        draft.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(draft);
        assert!(names(dir.path()).is_empty());
        let mut draft = Draft::begin(&path, false).unwrap();
        draft.write_all(b"whole").unwrap();
        draft.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_when_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let early = Draft::begin(&path, false).unwrap();
        fs::write(&path, "old").unwrap();
        let refused = Draft::begin(&path, false).unwrap_err();
        assert!(refused.message.contains("is there already: add --replace"), "{refused:?}");
        assert!(early.keep().unwrap_err().message.contains("is there already"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        Draft::begin(&path, true).unwrap().keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn links_and_folders_are_no_place() {
        let dir = tempfile::tempdir().unwrap();
        symlink("elsewhere", dir.path().join("link")).unwrap();
        for path in [dir.path().join("link"), dir.path().to_owned()] {
            let refused = Draft::begin(&path, true).unwrap_err();
            assert!(refused.message.ends_with("is no ordinary file"), "{refused:?}");
        }
        let missing = Draft::begin(&dir.path().join("no/out"), false).unwrap_err();
        assert!(missing.message.ends_with("entity not found"), "{missing:?}");
    }
}
