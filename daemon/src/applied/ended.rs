//! Which grants somebody has ended, in /run: known to a daemon that is started again, and to the
//! sweep, although the state's disk was full. Gone at a reboot; a list of ids and nothing else.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use stint_proto::{EndReason, GrantId};

use super::text::sum;

const FILE: &str = "ended";

/// The file of this boot.
#[derive(Clone, Debug)]
pub struct Ended(PathBuf);

impl Ended {
    /// That in this folder.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self(dir.join(FILE))
    }

    /// Adds these.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, ended: &[(GrantId, EndReason)]) -> io::Result<()> {
        let mut text = String::new();
        for (id, reason) in ended {
            let line = format!("{id} {}", reason.as_str());
            text.push_str(&format!("{line} #{}\n", sum(&line)));
        }
        let mut options = OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        options.open(&self.0)?.write_all(text.as_bytes())
    }

    /// What it says. A line that is torn is of an end that nobody was told of.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> io::Result<Vec<(GrantId, EndReason)>> {
        let text = match fs::read(&self.0) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let read = |line: &str| {
            let (body, _) = line.rsplit_once(" #").filter(|(body, found)| sum(body) == *found)?;
            let (id, reason) = body.split_once(' ')?;
            Some((id.parse().ok()?, EndReason::from_word(reason)?))
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// Forgets all of it: the state and the list have it.
    ///
    /// # Errors
    /// When it is there and stays.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_is_known_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let ended = Ended::at(dir.path());
        assert_eq!(ended.read().unwrap(), []);
        let one = ("g4t9".parse().unwrap(), EndReason::Revoked);
        let other = ("k2mf".parse().unwrap(), EndReason::Dropped);
        ended.add(std::slice::from_ref(&one)).unwrap();
        ended.add(std::slice::from_ref(&other)).unwrap();
        fs::write(&ended.0, fs::read_to_string(&ended.0).unwrap() + "z9 revoked #00000000\nz8 rev")
            .unwrap();
        assert_eq!(ended.read().unwrap(), [one, other]);
        ended.clear().unwrap();
        ended.clear().unwrap();
        assert_eq!(ended.read().unwrap(), []);
    }
}
