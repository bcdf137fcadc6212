//! What the kernel attests of a process, read from `/proc`. Reads only, and decides nothing.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use stint_proto::Uid;

use crate::domain::control_group::slice_owner;
use crate::domain::human::{Evidence, Process};

/// The kernel's "nobody has logged in": (uid_t)-1.
const NO_LOGIN: u32 = u32::MAX;
/// More than most files of a process have.
const ROOM: usize = 2_048;
/// How often, at the most, those are looked for who have come since the look before.
const LOOKS: usize = 256;
/// How far back the line of a process is followed.
const LONGEST_LINE: usize = 64;

/// What is attested of this process. Its start is read before and after, so that all of it is of
/// one process and not of a later one that was given its number.
///
/// # Errors
/// When the process is gone, or `/proc` cannot be read.
pub fn evidence(pid: i32) -> io::Result<Evidence> {
    let own = stat(pid)?.started;
    let login = login(pid)?;
    let slice = owner_in(&cgroup(pid)?);
    let line = line_of(pid)?;
    if stat(pid)?.started != own {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Evidence { login, slice, line })
}

/// This process, told from a later one of its number.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn identify(pid: i32) -> io::Result<Process> {
    stat(pid).map(|stat| Process { pid, started: stat.started })
}

/// The same, with how many threads it has.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn identify_with_threads(pid: i32) -> io::Result<(Process, u32)> {
    stat(pid).map(|stat| (Process { pid, started: stat.started }, stat.threads))
}

/// Whether there is a process of this number: in as little time as can be, as there may be thousands
/// to be asked about.
#[must_use]
pub fn exists(pid: i32) -> bool {
    let asked = Pid::from_raw(pid).map(test_kill_process);
    asked.is_some_and(|found| found != Err(rustix::io::Errno::SRCH))
}

/// The numbers of the process's supplementary groups.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn groups(pid: i32) -> io::Result<BTreeSet<u32>> {
    parse_groups(&read(pid, "status")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_groups(status: &str) -> Option<BTreeSet<u32>> {
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"))?;
    groups.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}

/// The process that a thread is one of; a process's own number is that of its first thread.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn leader(thread: i32) -> io::Result<i32> {
    number(&read(thread, "status")?, "Tgid:").ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A field of one number of `/proc/PID/status`.
fn number<N: std::str::FromStr>(status: &str, field: &str) -> Option<N> {
    status.lines().find_map(|line| line.strip_prefix(field))?.trim().parse().ok()
}

/// What `/proc/PID/cgroup` says.
///
/// # Errors
/// When the process is gone, or `/proc` cannot be read.
pub fn cgroup(pid: i32) -> io::Result<String> {
    read(pid, "cgroup")
}

/// Every process there is, by number. One may end, and its number be given anew, at any time.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn all() -> io::Result<Vec<i32>> {
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        pids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(pids)
}

/// Shows every process there is to `look`, by number, which says whether that is enough of it; and
/// then, until it is enough of all, those that have come meanwhile, the newest first.
///
/// Where `look` wants more of those that were gone before they could be judged, nobody gets by unseen
/// by starting another and ending, as fast as they may: of a line of processes each of which is younger
/// than the one before, a list of /proc, by rising numbers, always holds one. Only where others come and
/// go so fast that one is gone at each of [`LOOKS`] it is merely unlikely.
///
/// # Errors
/// When `/proc` cannot be read, or `look` fails.
pub fn visit(mut look: impl FnMut(i32) -> io::Result<bool>) -> io::Result<()> {
    let mut known = HashSet::new();
    for _ in 0..LOOKS {
        let mut is_enough = true;
        let mut fresh: Vec<i32> = all()?.into_iter().filter(|pid| known.insert(*pid)).collect();
        fresh.sort_unstable_by_key(|pid| Reverse(*pid));
        for pid in fresh {
            is_enough &= look(pid)?;
        }
        if is_enough {
            break;
        }
    }
    Ok(())
}

/// Every process that can be read, with the one that started it or has taken it on.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn parents() -> io::Result<Vec<(Process, i32)>> {
    let mut all_of_them = Vec::new();
    for pid in all()? {
        match stat(pid) {
            Ok(stat) => all_of_them.push((Process { pid, started: stat.started }, stat.parent)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all_of_them)
}

/// This process and those that started it, as far as they live.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn own_line() -> io::Result<Vec<Process>> {
    line_of(i32::try_from(std::process::id()).map_err(io::Error::other)?)
}

/// On whose behalf a process may act: proc_pid_status(5), `Uid:`, `Gid:` and `Groups:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Its real, effective, saved and file system uid.
    pub uids: BTreeSet<u32>,
    /// Its groups of every kind.
    pub gids: BTreeSet<u32>,
}

/// A process that can be signalled, and nobody in its place: as long as this lives, its number is
/// of no account (pidfd_open(2)).
#[derive(Debug)]
pub struct Handle {
    process: Process,
    rights: Rights,
    name: String,
    fd: OwnedFd,
}

impl Handle {
    /// Takes hold of a process; `None` if it is gone, or has ended and was not waited for yet.
    ///
    /// # Errors
    /// When the kernel does not say what it is.
    pub fn open(pid: i32) -> io::Result<Option<Self>> {
        let number = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        let fd = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let known = identify(pid).and_then(|process| Ok((process, rights(pid)?)));
        let name = read(pid, "comm");
        // It lives, so all that was read of its number was read of it.
        if has_ended(&fd)? {
            return Ok(None);
        }
        let (process, rights) = match known {
            Ok(known) => known,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let name = name.unwrap_or_default().trim_end().to_owned();
        Ok(Some(Self { process, rights, name, fd }))
    }

    /// Which process it is.
    #[must_use]
    pub fn process(&self) -> Process {
        self.process
    }

    /// On whose behalf it may act.
    #[must_use]
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// What it is called; a process chooses that itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends it a signal. One that has ended takes none, and that is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// A pidfd is readable from the end of its process on.
fn has_ended(fd: &OwnedFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut polled, PollTimeout::ZERO)? > 0)
}

/// On whose behalf a process may act, as of this moment.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn rights(pid: i32) -> io::Result<Rights> {
    parse_rights(&read(pid, "status")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_rights(status: &str) -> Option<Rights> {
    let numbers = |name: &str| -> Option<BTreeSet<u32>> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
    };
    let mut gids = numbers("Gid:")?;
    gids.extend(numbers("Groups:")?);
    Some(Rights { uids: numbers("Uid:")?, gids })
}

/// The process and those that started it, as far as they live.
fn line_of(pid: i32) -> io::Result<Vec<Process>> {
    let mut line = Vec::new();
    let mut next = pid;
    while next > 0 && line.len() < LONGEST_LINE {
        let Stat { started, parent, .. } = match stat(next) {
            Ok(found) => found,
            // A parent may end while it is looked for: the line ends there.
            Err(error) if error.kind() == io::ErrorKind::NotFound && next != pid => break,
            Err(error) => return Err(error),
        };
        line.push(Process { pid: next, started });
        next = parent;
    }
    Ok(line)
}

/// A file of a process. Its name is bytes of its own choosing, of any kind: what is no text of it is
/// replaced, and nothing goes by it.
///
/// # Errors
/// When the process is gone, or `/proc` cannot be read.
pub fn read(pid: i32, file: &str) -> io::Result<String> {
    let read = || {
        let mut text = Vec::with_capacity(ROOM);
        let file = File::open(format!("/proc/{pid}/{file}"))?;
        // Without take() it is asked first how long it is and where it stands, which none of them says.
        file.take(u64::MAX).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    read().map_err(|error: io::Error| match error.raw_os_error() {
        // A process that ends between open and read.
        Some(nix::libc::ESRCH) => io::ErrorKind::NotFound.into(),
        _ => error,
    })
}

/// Of proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    /// Field 4.
    parent: i32,
    /// Field 20.
    threads: u32,
    /// Field 22.
    started: u64,
}

fn stat(pid: i32) -> io::Result<Stat> {
    parse_stat(&read(pid, "stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name may hold blanks and brackets: what counts begins after the last one.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    // The first that is there is the third.
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// Who logged in; nobody where the kernel keeps no login uids either.
fn login(pid: i32) -> io::Result<Option<Uid>> {
    match read(pid, "loginuid") {
        Ok(text) => match text.trim().parse() {
            Ok(NO_LOGIN) => Ok(None),
            Ok(uid) => Ok(Some(Uid(uid))),
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Either the process is gone, or the kernel was built without them.
            identify(pid).map(|_| None)
        }
        Err(error) => Err(error),
    }
}

/// Whose slice of the tree a process is in, by its `/proc/PID/cgroup`.
fn owner_in(cgroup: &str) -> Option<Uid> {
    cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(slice_owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_field() {
        let tail = "S 41 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 3 0 777 0 0";
        let stat = Stat { parent: 41, threads: 3, started: 777 };
        assert_eq!(parse_stat(&format!("5 (a) R 1 ) {tail}")), Some(stat));
        assert_eq!(parse_stat("5 (a"), None);
    }

    #[test]
    fn groups_are_read_and_nothing_is_taken_for_them() {
        let status =
            |groups: &str| format!("Name:\tGroups: 7\nGid:\t5\nGroups:{groups}\nNStgid:\t1\n");
        assert_eq!(parse_groups(&status("\t24 44 1000 ")), Some([24, 44, 1000].into()));
        assert_eq!(parse_groups(&status("\t ")), Some(BTreeSet::new()));
        assert_eq!(parse_groups(&status("\t24 x")), None);
        assert_eq!(parse_groups("Name:\tid\n"), None);
    }

    #[test]
    fn all_are_visited_once_and_those_who_come_where_one_was_not_enough() {
        let own = i32::try_from(std::process::id()).unwrap();
        let (mut met, mut child) = (Vec::new(), None);
        let visited = visit(|pid| {
            met.push(pid);
            if pid == own {
                child = Some(std::process::Command::new("sleep").arg("60").spawn().unwrap());
            }
            Ok(pid != own)
        });
        let mut child = child.unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let number = i32::try_from(child.id()).unwrap();
        visited.unwrap();
        for pid in [own, number] {
            assert_eq!(met.iter().filter(|met| **met == pid).count(), 1, "{pid}: {met:?}");
        }
        assert!(visit(|_| Err(io::ErrorKind::PermissionDenied.into())).is_err());
    }

    #[test]
    fn a_thread_is_its_processes() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let (send, sent) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            send.send(nix::unistd::gettid().as_raw()).unwrap();
            ended.recv().unwrap();
        });
        let thread = sent.recv().unwrap();
        assert!(thread != pid && leader(thread).unwrap() == pid && leader(pid).unwrap() == pid);
        assert!(identify_with_threads(pid).unwrap().1 >= 2);
        end.send(()).unwrap();
        other.join().unwrap();
        assert_eq!(number::<u32>("Name:\tTgid: 7\nTgid:\tx\n", "Tgid:"), None);
    }

    #[test]
    fn rights_are_of_every_kind() {
        let status = "Name:\tGid: 3\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t6\t6\nGroups:\t24 1000 \n";
        let rights = parse_rights(status).unwrap();
        assert_eq!(rights.uids, [0, 1000].into());
        assert_eq!(rights.gids, [5, 6, 24, 1000].into());
        assert_eq!(parse_rights("Uid:\t1\nGid:\tx\nGroups:\t\n"), None);
    }

    #[test]
    fn a_name_may_be_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff) S 1 \n\xfe"));
        std::os::unix::fs::symlink("/usr/bin/sleep", &name).unwrap();
        let mut child = std::process::Command::new(&name).arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let handle = Handle::open(pid).unwrap().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(identify_with_threads(pid).unwrap(), (handle.process(), 1));
        assert_eq!(leader(pid).unwrap(), pid);
        assert_eq!(handle.rights(), &rights(own).unwrap());
        assert!(groups(pid).is_ok() && evidence(pid).unwrap().line.len() > 1);
        assert!(parents().unwrap().contains(&(handle.process(), own)));
        handle.signal(Signal::KILL).unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_handle_is_of_one_process_and_ends_with_it() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let handle = Handle::open(pid).unwrap().unwrap();
        assert_eq!(handle.process(), identify(pid).unwrap());
        let own = own_line().unwrap();
        assert!(parents().unwrap().contains(&(handle.process(), own[0].pid)));
        handle.signal(Signal::TERM).unwrap();
        assert!(!child.wait().unwrap().success());
        handle.signal(Signal::TERM).unwrap();
        assert!(Handle::open(pid).unwrap().is_none());
    }

    #[test]
    fn the_slice_tells_whose_it_is() {
        let inside = "0::/user.slice/user-1000.slice/session-3.scope\n";
        assert_eq!(owner_in(inside), Some(Uid(1000)));
        assert_eq!(owner_in("0::/system.slice/user-x.slice/a.service\n"), None);
        assert_eq!(owner_in("1:name=systemd:/user.slice/user-0.slice\n0::/\n"), Some(Uid::ROOT));
    }

    #[test]
    fn this_process_is_in_its_own_line() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let evidence = evidence(pid).unwrap();
        assert_eq!(evidence.line[0], identify(pid).unwrap());
        assert!(evidence.line.len() > 1);
    }

    #[test]
    fn a_process_that_is_gone_attests_nothing() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let error = evidence(pid).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!exists(pid) && exists(1));
    }
}
