//! The kernel's tree of control groups (version 2), as far as sessions need it: where a process is,
//! who is in a group, and the end of all of them at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use stint_proto::GrantId;

use crate::domain::control_group::{Group, grants_in};
use crate::process;

/// Where the tree is on every host that has systemd, and on most others.
const ROOT: &str = "/sys/fs/cgroup";
/// Where systemd keeps people's slices.
const USERS: &str = "user.slice";
/// The folder of the groups that stint makes itself, where systemd cannot be asked.
const OWN: &str = "stint";
/// Groups within a group are looked into so far.
const DEPTH: usize = 32;

/// The tree.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

impl Tree {
    /// The host's own; `None` where it has none of version 2.
    #[must_use]
    pub fn of_host() -> Option<Self> {
        Self::at(Path::new(ROOT))
    }

    fn at(root: &Path) -> Option<Self> {
        root.join("cgroup.controllers").exists().then(|| Self { root: root.to_owned() })
    }

    fn path(&self, group: &Group) -> PathBuf {
        self.root.join(group.as_str().trim_start_matches('/'))
    }

    /// Which group a process is in.
    ///
    /// # Errors
    /// When it is gone, or in no group that stint can see.
    pub fn of(&self, pid: i32) -> io::Result<Group> {
        let text = process::cgroup(pid)?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"));
        path.and_then(Group::parse).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Every group of stint's that is there, with the grants that it is named by.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn of_stint(&self) -> io::Result<Vec<(Group, Vec<GrantId>)>> {
        let mut folders = vec![OWN.to_owned(), USERS.to_owned()];
        let slices = names(&self.root.join(USERS))?;
        folders.extend(slices.into_iter().map(|slice| format!("{USERS}/{slice}")));
        let mut found = Vec::new();
        for folder in folders {
            for name in names(&self.root.join(&folder))? {
                if let Some(grants) = grants_in(&name)
                    && let Some(group) = Group::parse(&format!("/{folder}/{name}"))
                {
                    found.push((group, grants));
                }
            }
        }
        Ok(found)
    }

    /// Who is in a group and in those inside it; nobody where it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn processes(&self, group: &Group) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        collect(&self.path(group), DEPTH, &mut pids)?;
        Ok(pids)
    }

    /// Makes a group of stint's own and puts a process into it.
    ///
    /// # Errors
    /// When the tree cannot be written.
    pub fn make(&self, name: &str, pid: i32) -> io::Result<Group> {
        let group = Group::parse(&format!("/{OWN}/{name}")).ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(self.path(&group))?;
        self.admit(&group, pid)?;
        Ok(group)
    }

    /// Puts a process into a group.
    ///
    /// # Errors
    /// When the tree cannot be written, or the process is gone.
    pub fn admit(&self, group: &Group, pid: i32) -> io::Result<()> {
        fs::write(self.path(group).join("cgroup.procs"), pid.to_string())
    }

    /// Kills everybody in a group at once, those who are just being born too (cgroup.kill of
    /// Linux 5.14).
    ///
    /// # Errors
    /// When the kernel has no such file, or it cannot be written.
    pub fn kill(&self, group: &Group) -> io::Result<()> {
        // Opened without making it: an older kernel has none.
        let mut file =
            fs::OpenOptions::new().write(true).open(self.path(group).join("cgroup.kill"))?;
        io::Write::write_all(&mut file, b"1")
    }

    /// Removes an empty group that stint made; systemd removes its own.
    pub fn tidy(&self, group: &Group) {
        if group.as_str().starts_with(&format!("/{OWN}/")) {
            // Not empty yet: the next session's end tries again.
            drop(fs::remove_dir(self.path(group)));
        }
    }
}

fn collect(folder: &Path, depth: usize, pids: &mut Vec<i32>) -> io::Result<()> {
    let text = match fs::read_to_string(folder.join("cgroup.procs")) {
        Ok(text) => text,
        // A group of threads alone: the group around it lists their processes.
        Err(error) if error.raw_os_error() == Some(nix::libc::EOPNOTSUPP) => String::new(),
        Err(error) if is_gone(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    // 0 is a process outside of what this process can see.
    pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    if depth > 0 {
        for name in names(folder)? {
            collect(&folder.join(name), depth - 1, pids)?;
        }
    }
    Ok(())
}

/// The groups right inside a folder of the tree; none where it is gone.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => break,
            Err(error) => return Err(error),
        };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ENODEV)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_read_as_deep_as_it_goes_and_no_group_is_made_by_killing_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(Tree::at(root).is_none(), "version 1 has no such file");
        fs::write(root.join("cgroup.controllers"), "").unwrap();
        let scope = root.join("user.slice/user-7.slice/stint-g4t9-1.scope");
        fs::create_dir_all(scope.join("inner")).unwrap();
        fs::write(scope.join("cgroup.procs"), "12\n0\n").unwrap();
        fs::write(scope.join("inner/cgroup.procs"), "13\n").unwrap();
        let tree = Tree::at(root).unwrap();
        let found = tree.of_stint().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, ["g4t9".parse::<GrantId>().unwrap()]);
        let mut pids = tree.processes(&found[0].0).unwrap();
        pids.sort_unstable();
        assert_eq!(pids, [12, 13]);
        assert!(tree.kill(&found[0].0).is_err());
        let gone = Group::parse("/user.slice/gone").unwrap();
        assert_eq!(tree.processes(&gone).unwrap(), Vec::<i32>::new());
    }
}
