//! Forgetting that somebody has given a password lately: the tickets of sudo, sudo-rs and doas.
//! Removes the files of the people it is told and nothing else, and follows no link on the way.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use stint_proto::{Uid, UserName};

use stint_hostfiles::{open_dir, remove};

/// Tickets could not all be removed; the others were.
#[derive(Debug)]
pub struct TicketError {
    /// Where it failed first.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for TicketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be removed: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for TicketError {}

/// Removes every ticket of these people on this host; the number of files removed. The folders are
/// read once, however many they are.
///
/// # Errors
/// [`TicketError`] for the first that could not be removed, after all have been tried.
pub fn clear(holders: &BTreeSet<(UserName, Uid)>) -> Result<u32, TicketError> {
    clear_under(Path::new("/run"), holders)
}

fn clear_under(run: &Path, holders: &BTreeSet<(UserName, Uid)>) -> Result<u32, TicketError> {
    let numbers: BTreeSet<String> = holders.iter().map(|(_, uid)| uid.to_string()).collect();
    let is_number = |name: &str| numbers.contains(name);
    // sudo names tickets by user name before 1.9.15 and by number since; sudo-rs by number.
    let names: BTreeSet<&str> = holders.iter().map(|(user, _)| user.as_str()).collect();
    let sudo = clear_folder(run, &["sudo", "ts"], |name| is_number(name) || names.contains(name));
    let sudo_rs = clear_folder(run, &["sudo-rs", "ts"], is_number);
    let doas = clear_folder(run, &["doas"], |name| doas_uid(name).is_some_and(is_number));
    Ok(sudo?.saturating_add(sudo_rs?).saturating_add(doas?))
}

fn clear_folder(
    run: &Path,
    way: &[&str],
    is_theirs: impl Fn(&str) -> bool,
) -> Result<u32, TicketError> {
    let path: PathBuf = std::iter::once(run).chain(way.iter().map(Path::new)).collect();
    let at = |error| TicketError { path: path.clone(), error };
    let Some(folder) = descend(run, way).map_err(at)? else { return Ok(0) };
    let mut cleared = 0_u32;
    let mut first = None;
    for entry in fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd())).map_err(at)? {
        let Ok(name) = entry.map_err(at)?.file_name().into_string() else { continue };
        if !is_theirs(&name) {
            continue;
        }
        match remove(&folder, &name) {
            Ok(removed) => cleared = cleared.saturating_add(u32::from(removed)),
            Err(error) if first.is_none() => {
                first = Some(TicketError { path: path.join(name), error });
            }
            Err(_) => {}
        }
    }
    first.map_or(Ok(cleared), Err)
}

/// Opens the folder component by component; `None` if one is not there.
fn descend(run: &Path, way: &[&str]) -> io::Result<Option<File>> {
    let mut folder = match open_dir(run) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    for name in way {
        folder = match openat(&folder, *name, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Some(folder))
}

/// Whose ticket of doas's this is: it calls one `PPID-SESSION-TTY-START-UID` (timestamp.c); any of
/// the numbers may be negative but the last two.
fn doas_uid(name: &str) -> Option<&str> {
    let is_ticket = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    (is_ticket && name.split('-').count() >= 5).then(|| name.rsplit('-').next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn clear_alice(run: &tempfile::TempDir) -> Result<u32, TicketError> {
        clear_under(run.path(), &BTreeSet::from([("alice".parse().unwrap(), Uid(1000))]))
    }

    #[test]
    fn a_folder_that_is_a_link_is_an_error_and_the_rest_is_cleared() {
        let run = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("1000"), "").unwrap();
        fs::create_dir_all(run.path().join("sudo")).unwrap();
        symlink(elsewhere.path(), run.path().join("sudo/ts")).unwrap();
        fs::create_dir_all(run.path().join("sudo-rs/ts")).unwrap();
        fs::write(run.path().join("sudo-rs/ts/1000"), "").unwrap();
        let error = clear_alice(&run).unwrap_err();
        assert!(error.path.ends_with("sudo/ts"), "{error}");
        assert!(elsewhere.path().join("1000").exists());
        assert!(!run.path().join("sudo-rs/ts/1000").exists());
    }

    #[test]
    fn no_folder_and_no_file_are_fine() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(clear_alice(&run).unwrap(), 0);
        fs::create_dir_all(run.path().join("sudo/ts")).unwrap();
        assert_eq!(clear_alice(&run).unwrap(), 0);
    }

    #[test]
    fn one_users_tickets_go_and_the_others_stay() {
        let run = tempfile::tempdir().unwrap();
        let theirs = [
            "sudo/ts/alice",
            "sudo/ts/1000",
            "sudo-rs/ts/1000",
            "doas/7-7-34816-99-1000",
            "doas/8-8--1-99-1000",
        ];
        let others = [
            "sudo/ts/bob",
            "sudo/ts/1001",
            "sudo-rs/ts/11000",
            "doas/7-7-34816-99-11000",
            "doas/7-7-34816-1000-1001",
            "doas/.tmp-1000",
            "doas/1000",
        ];
        for name in theirs.iter().chain(&others) {
            let path = run.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(clear_alice(&run).unwrap(), 5);
        assert!(theirs.iter().all(|name| !run.path().join(name).exists()));
        assert!(others.iter().all(|name| run.path().join(name).exists()));
    }
}
