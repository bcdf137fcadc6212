//! Reading the files of a host, as its first process sees them. Regular files only, and no more of
//! one than it can sensibly hold; whoever could put another kind of file there holds up nobody.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;

/// The largest file that is read.
const LIMIT: u64 = 8 << 20;

/// A path of the host below this root.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    let inside = path.components().filter(|part| matches!(part, Component::Normal(_)));
    root.join(inside.collect::<PathBuf>())
}

/// A file's bytes, and whose it is.
pub(super) fn read_with(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > LIMIT) {
        return Err(io::Error::other("it is larger than 8 MiB"));
    }
    Ok((bytes, metadata))
}

/// Bytes as text that a message can hold: what is no text in them is replaced.
pub(super) fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}")
}

/// A file's text; `None` where there is none. What cannot be read is noted.
pub(super) fn text(root: &Path, path: &str, notes: &mut Vec<String>) -> Option<String> {
    match read_with(&below(root, Path::new(path))) {
        Ok((bytes, _)) => Some(readable(&bytes)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            None
        }
        Err(error) => {
            notes.push(format!("{path}: {error}"));
            None
        }
    }
}

/// The names of the files in a folder that end so, in order.
pub(super) fn names(root: &Path, folder: &str, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(below(root, Path::new(folder))).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(end))
        .collect();
    names.sort();
    names
}
