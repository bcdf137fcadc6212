//! What the kernel attests of a process, read from `/proc`. Reads only, and decides nothing.

use std::collections::BTreeSet;
use std::io;

use stint_proto::Uid;

use crate::domain::human::{Evidence, Process};

/// The kernel's "nobody has logged in": (uid_t)-1.
const NO_LOGIN: u32 = u32::MAX;
/// How far back the line of a process is followed.
const LONGEST_LINE: usize = 64;

/// What is attested of this process. Its start is read before and after, so that all of it is of
/// one process and not of a later one that was given its number.
///
/// # Errors
/// When the process is gone, or `/proc` cannot be read.
pub fn evidence(pid: i32) -> io::Result<Evidence> {
    let (own, _) = stat(pid)?;
    let login = login(pid)?;
    let slice = slice_owner(&read(pid, "cgroup")?);
    let line = line_of(pid)?;
    if stat(pid)?.0 != own {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(Evidence { login, slice, line })
}

/// This process, told from a later one of its number.
///
/// # Errors
/// When it is gone, or `/proc` cannot be read.
pub fn identify(pid: i32) -> io::Result<Process> {
    stat(pid).map(|(started, _)| Process { pid, started })
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

/// The process and those that started it, as far as they live.
fn line_of(pid: i32) -> io::Result<Vec<Process>> {
    let mut line = Vec::new();
    let mut next = pid;
    while next > 0 && line.len() < LONGEST_LINE {
        let (started, parent) = match stat(next) {
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

fn read(pid: i32, file: &str) -> io::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|error| {
        // A process that ends between open and read.
        match error.raw_os_error() {
            Some(nix::libc::ESRCH) => io::ErrorKind::NotFound.into(),
            _ => error,
        }
    })
}

/// When the process started, and who its parent is: proc_pid_stat(5), fields 22 and 4.
fn stat(pid: i32) -> io::Result<(u64, i32)> {
    parse_stat(&read(pid, "stat")?).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_stat(text: &str) -> Option<(u64, i32)> {
    // The name may hold blanks and brackets: what counts begins after the last one.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    Some((fields.get(19)?.parse().ok()?, fields.get(1)?.parse().ok()?))
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

/// Whose slice of the tree a cgroup is in: `…/user-1000.slice/…`.
fn slice_owner(cgroup: &str) -> Option<Uid> {
    let parts = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    parts.flat_map(|path| path.split('/')).find_map(|part| {
        let uid = part.strip_prefix("user-")?.strip_suffix(".slice")?;
        uid.parse().ok().map(Uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_field() {
        let tail = "S 41 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        assert_eq!(parse_stat(&format!("5 (a) R 1 ) {tail}")), Some((777, 41)));
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
    fn the_slice_tells_whose_it_is() {
        let inside = "0::/user.slice/user-1000.slice/session-3.scope\n";
        assert_eq!(slice_owner(inside), Some(Uid(1000)));
        assert_eq!(slice_owner("0::/system.slice/user-x.slice/a.service\n"), None);
        assert_eq!(slice_owner("1:name=systemd:/user.slice/user-0.slice\n0::/\n"), Some(Uid::ROOT));
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
        let error = evidence(i32::try_from(child.id()).unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
