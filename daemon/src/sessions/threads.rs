//! Groups of threads inside a login's group: what a process enters itself, as a thread, without the
//! wait that the kernel has for whoever moves another process (cgroups(7), "threaded" mode; Linux
//! 5.5). Who lives for a while is moved on from there to the [`Group::home`] of such a group.
//!
//! Such a group is removed as soon as nobody is in it, and that alone says that nobody comes into it
//! any more: the kernel refuses to remove it while somebody is in it, and to let anybody into it
//! once it is removed.

use std::io;

use super::cgroup::Tree;
use super::members::{collect, is_gone};
use crate::domain::control_group::Group;

/// How often those in a group are looked for until nobody starts others faster than they are moved.
const ROUNDS: usize = 16;

impl Tree {
    /// Makes an empty group of threads of this name for a process of one thread (no other would stay
    /// behind) in this group, in which it is; `None` unless that is a login's in a person's slice,
    /// where root alone makes groups, and the kernel lets it. Waits while others change the tree.
    #[must_use]
    pub fn make_to_enter(&self, login: &Group, name: &str) -> Option<Group> {
        if !self.has_slices() || !login.is_login_in_slice() {
            return None;
        }
        self.make_threads(login, name).ok()
    }

    fn make_threads(&self, login: &Group, name: &str) -> io::Result<Group> {
        let group = login.child(name).filter(|group| group.home().is_some());
        let group = group.ok_or(io::ErrorKind::InvalidInput)?;
        self.create(&group)?;
        let made = self.say(&group, "cgroup.type", "threaded");
        if made.is_err() {
            // As where other groups are in that one.
            self.tidy(&group);
        }
        made.map(|()| group)
    }

    /// Whether nobody is in this group of threads and nobody comes into it any more, as it is
    /// removed: now, if it has to be. Every other group is none, and nobody comes into that.
    #[must_use]
    pub fn is_shut(&self, group: &Group) -> bool {
        if group.home().is_none() {
            return true;
        }
        self.tidy(group);
        !self.path(group).exists()
    }

    /// Moves everybody in a group of threads to its home, and removes it. `false` where somebody is
    /// in it still: inside other groups, or faster than they can be moved.
    ///
    /// # Errors
    /// When the tree cannot be read or written.
    pub fn bring_home(&self, group: &Group) -> io::Result<bool> {
        let Some(home) = group.home() else { return Ok(true) };
        for _ in 0..ROUNDS {
            if self.is_shut(group) {
                return Ok(true);
            }
            let mut pids = Vec::new();
            collect(&self.path(group), 0, &mut pids)?;
            pids.dedup();
            if pids.is_empty() {
                continue;
            }
            match self.create(&home) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            for pid in pids {
                self.bring(group, &home, pid)?;
            }
        }
        Ok(self.is_shut(group))
    }

    fn bring(&self, group: &Group, home: &Group, pid: i32) -> io::Result<()> {
        match self.of(pid) {
            // Whoever has got the number meanwhile is not meant.
            Ok(now) if now != *group => Ok(()),
            Ok(_) => match self.admit(home, pid) {
                Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(()),
                moved => moved,
            },
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
