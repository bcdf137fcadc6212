//! The kernel's tree of control groups (version 2), as far as sessions need it: where a process is,
//! who is in a group, and the end of all of them at once. A group that stint makes is its own until
//! systemd takes it on, and which of the two it is can be seen of the group itself, by its mode.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stint_proto::{GrantId, Uid};
use tokio::sync::Mutex;

use super::members::{collect, is_gone, names};
use crate::domain::control_group::{Group, USERS, grants_in};
use crate::process;

/// Where the tree is on every host that has systemd, and on most others.
const ROOT: &str = "/sys/fs/cgroup";
/// The folder of the groups that stint makes itself, where systemd cannot be asked.
const OWN: &str = "stint";
/// Groups within a group are looked into so far.
const DEPTH: usize = 32;
/// Where systemd puts itself: right below the root of all that it keeps.
const MANAGER: &str = "/init.scope";
/// The mode of a group that is stint's own to remove.
const OURS: u32 = 0o700;
/// The mode of one that is systemd's, or was offered to it.
const OFFERED: u32 = 0o755;

/// The tree.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
    /// Whether the slices of people below [`USERS`] are those of the systemd that runs this host.
    has_slices: bool,
    /// The kernel changes the tree for one at a time, and others would only wait in more threads.
    turn: Arc<Mutex<()>>,
}

/// What is in a group that stint has made, or has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is gone.
    Gone,
    /// Nobody is in it.
    Empty {
        /// Whether stint removes it.
        ours: bool,
    },
    /// Somebody is in it.
    Lives {
        /// Whether systemd does not know of it.
        ours: bool,
        /// One of them; `None` where they are all in groups inside it.
        pid: Option<i32>,
    },
}

impl Tree {
    /// The host's own; `None` where it has none of version 2.
    #[must_use]
    pub fn of_host() -> Option<Self> {
        let mut tree = Self::at(Path::new(ROOT))?;
        tree.has_slices = tree.of(1).is_ok_and(|group| group.as_str() == MANAGER);
        Some(tree)
    }

    pub(super) fn at(root: &Path) -> Option<Self> {
        root.join("cgroup.controllers").exists().then(|| Self {
            root: root.to_owned(),
            has_slices: false,
            turn: Arc::default(),
        })
    }

    /// Does work on the tree that may wait for the kernel (a change of it can take some
    /// milliseconds), where waiting holds up nobody else.
    ///
    /// # Errors
    /// The work's own, or that it came to nothing.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let tree = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&tree);
            drop(turn);
            done
        });
        done.await.map_err(io::Error::other)?
    }

    pub(super) fn path(&self, group: &Group) -> PathBuf {
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
        let slices = names(&self.root.join(USERS))?;
        let slices: Vec<String> = slices.iter().map(|slice| format!("{USERS}/{slice}")).collect();
        let mut folders = Vec::new();
        for slice in &slices {
            let inside = names(&self.root.join(slice))?.into_iter();
            let inside = inside.map(|name| format!("{slice}/{name}"));
            folders.extend(inside.filter(|path| {
                Group::parse(&format!("/{path}")).is_some_and(|group| group.is_login_in_slice())
            }));
        }
        // Those in logins first: who is moved meanwhile is moved from there to a slice.
        folders.extend(slices);
        folders.extend([OWN.to_owned(), USERS.to_owned()]);
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

    /// Who is in a group and in those inside it, or in its [`Group::home`]; nobody where it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn processes(&self, group: &Group) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        collect(&self.path(group), DEPTH, &mut pids)?;
        if let Some(home) = group.home() {
            // In this order: nobody is moved the other way.
            collect(&self.path(&home), DEPTH, &mut pids)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Whether anybody who has not ended is in a group or in those inside it, or in its
    /// [`Group::home`]; nobody where it is gone. It misses nobody, however fast they start others.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_populated(&self, group: &Group) -> io::Result<bool> {
        let events = match fs::read_to_string(self.path(group).join("cgroup.events")) {
            Ok(events) => events,
            Err(error) if is_gone(&error) => String::new(),
            Err(error) => return Err(error),
        };
        let here = events.lines().any(|line| line == "populated 1");
        // In this order: nobody is moved the other way.
        Ok(here || group.home().map_or(Ok(false), |home| self.is_populated(&home))?)
    }

    /// Whether this process is in a group or in those inside it, or in its [`Group::home`].
    ///
    /// # Errors
    /// When it is gone, or in no group that stint can see.
    pub fn holds(&self, group: &Group, pid: i32) -> io::Result<bool> {
        let now = self.of(pid)?;
        Ok(now.is_within(group) || group.home().is_some_and(|home| now.is_within(&home)))
    }

    /// Whether the slices of people are those of the systemd that runs this host.
    pub(super) fn has_slices(&self) -> bool {
        self.has_slices
    }

    /// The slice of this account, where systemd has it running: what is made in it is where
    /// systemd would have made it.
    #[must_use]
    pub fn slice_of(&self, uid: Uid) -> Option<Group> {
        let slice = Group::parse(&format!("/{USERS}/user-{uid}.slice"))?;
        (self.has_slices && self.path(&slice).is_dir()).then_some(slice)
    }

    /// The group in which stint makes those that have no place with systemd.
    #[must_use]
    pub fn own() -> Option<Group> {
        Group::parse(&format!("/{OWN}"))
    }

    /// Makes this group of stint's, in a slice or in [`Tree::own`], and puts a process into it. All
    /// that the process starts from then on is in it too.
    ///
    /// # Errors
    /// When the tree cannot be written, or the process is gone; then nothing is left of it.
    pub fn make(&self, group: &Group, pid: i32) -> io::Result<()> {
        if group.slice_owner().is_none() {
            fs::create_dir_all(self.root.join(OWN))?;
        }
        self.create(group)?;
        let admitted = self.admit(group, pid);
        if admitted.is_err() {
            self.tidy(group);
        }
        admitted
    }

    /// Makes an empty group of stint's.
    pub(super) fn create(&self, group: &Group) -> io::Result<()> {
        DirBuilder::new().mode(OURS).create(self.path(group))
    }

    /// Puts a process into a group.
    ///
    /// # Errors
    /// When the tree cannot be written, or the process is gone.
    pub fn admit(&self, group: &Group, pid: i32) -> io::Result<()> {
        fs::write(self.path(group).join("cgroup.procs"), pid.to_string())
    }

    /// Kills everybody in a group at once, those who are just being born too (cgroup.kill of
    /// Linux 5.14). The kernel does not kill groups of threads: in one of those nobody starts
    /// anything from here on, and all can be killed one by one.
    ///
    /// # Errors
    /// When the kernel has no such file, or it cannot be written.
    pub fn kill(&self, group: &Group) -> io::Result<()> {
        let Some(home) = group.home() else { return self.say(group, "cgroup.kill", "1") };
        let stopped = self.say(group, "cgroup.freeze", "1");
        let killed = self.say(&home, "cgroup.kill", "1");
        // Most of the time only one of both is there.
        stopped.or(killed)
    }

    /// Writes into a file of a group. An older kernel may have none of it: it is not made.
    pub(super) fn say(&self, group: &Group, file: &str, word: &str) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(self.path(group).join(file))?;
        io::Write::write_all(&mut file, word.as_bytes())
    }

    /// What is in this group now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn look(&self, group: &Group) -> io::Result<Look> {
        let path = self.path(group);
        let ours = match fs::metadata(&path) {
            Ok(folder) => folder.permissions().mode() & 0o777 == OURS,
            Err(error) if is_gone(&error) => return Ok(Look::Gone),
            Err(error) => return Err(error),
        };
        let mut pids = Vec::new();
        collect(&path, 0, &mut pids)?;
        if let Some(pid) = pids.first() {
            return Ok(Look::Lives { ours, pid: Some(*pid) });
        }
        collect(&path, DEPTH, &mut pids)?;
        Ok(if pids.is_empty() { Look::Empty { ours } } else { Look::Lives { ours, pid: None } })
    }

    /// Says of a group that stint made whether it is stint's own to remove, or offered to systemd.
    ///
    /// # Errors
    /// When it is gone.
    pub fn mark(&self, group: &Group, ours: bool) -> io::Result<()> {
        let mode = Permissions::from_mode(if ours { OURS } else { OFFERED });
        fs::set_permissions(self.path(group), mode)
    }

    /// Removes a group of stint's own that is empty, and its [`Group::home`]. One that is systemd's
    /// is left to it: it would go on to believe in it.
    pub fn tidy(&self, group: &Group) {
        let home = group.home();
        if let Ok(Look::Empty { ours }) = self.look(group)
            // systemd never knows of a group of threads.
            && (ours || home.is_some())
        {
            remove(&self.path(group), DEPTH);
        }
        if let Some(home) = home {
            self.tidy(&home);
        }
    }
}

/// Bottom up, as the kernel wants it; it refuses where somebody is.
fn remove(folder: &Path, depth: usize) {
    if depth > 0 {
        for name in names(folder).unwrap_or_default() {
            remove(&folder.join(name), depth - 1);
        }
    }
    // Somebody has come into it: it is looked at again.
    drop(fs::remove_dir(folder));
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
        assert!(!tree.is_populated(&found[0].0).unwrap(), "its folder says nothing of it");
        fs::write(scope.join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
        assert!(tree.is_populated(&found[0].0).unwrap());
        let gone = Group::parse("/user.slice/gone").unwrap();
        assert_eq!(tree.processes(&gone).unwrap(), Vec::<i32>::new());
    }

    #[test]
    fn a_group_says_itself_whose_it_is_and_only_what_is_empty_and_stints_own_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cgroup.controllers"), "").unwrap();
        let slice = folder.path().join("user.slice/user-7.slice");
        fs::create_dir_all(&slice).unwrap();
        let mut tree = Tree::at(folder.path()).unwrap();
        assert_eq!(tree.slice_of(Uid(7)), None, "they are those of another systemd");
        tree.has_slices = true;
        assert_eq!(tree.slice_of(Uid(8)), None);
        let parent = tree.slice_of(Uid(7)).unwrap();
        let group = parent.child("stint-g4t9-1.scope").unwrap();
        tree.make(&group, 12).unwrap();
        assert!(tree.make(&group, 13).is_err(), "nobody joins another's");
        assert_eq!(group.as_str(), "/user.slice/user-7.slice/stint-g4t9-1.scope");
        assert_eq!(tree.look(&group).unwrap(), Look::Lives { ours: true, pid: Some(12) });
        let outer = slice.join("stint-g4t9-1.scope");
        fs::create_dir(outer.join("inner")).unwrap();
        fs::write(outer.join("cgroup.procs"), "").unwrap();
        fs::write(outer.join("inner/cgroup.procs"), "12\n").unwrap();
        tree.tidy(&group);
        assert_eq!(tree.look(&group).unwrap(), Look::Lives { ours: true, pid: None });
        fs::remove_file(outer.join("cgroup.procs")).unwrap();
        fs::remove_file(outer.join("inner/cgroup.procs")).unwrap();
        tree.mark(&group, false).unwrap();
        tree.tidy(&group);
        assert_eq!(tree.look(&group).unwrap(), Look::Empty { ours: false });
        tree.mark(&group, true).unwrap();
        tree.tidy(&group);
        assert_eq!(tree.look(&group).unwrap(), Look::Gone);
        assert!(tree.make(&group.child("stint-g4t9-2.scope").unwrap(), 12).is_err());
        tree.make(&Tree::own().unwrap().child("stint-g4t9-3.scope").unwrap(), 12).unwrap();
    }
}
