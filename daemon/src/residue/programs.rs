//! The programs that bring root's rights, or some of them, in the places that are looked at.

use nix::sys::stat::{Mode, SFlag};

use super::accounts::{HOMES, homes};
use super::look::{FILES, Look, Looking, Own};
use super::places::{IN_PEOPLES_HOMES, PLACES, Take};
use super::walk::{Manner, walk};

/// A program that runs with root's rights, or with capabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: String,
    /// Everybody may start it; otherwise only its group.
    pub others: bool,
    /// The number of that group.
    pub gid: u32,
    /// It is not setuid, but has capabilities.
    pub capable: bool,
}

impl Program {
    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

impl Look {
    /// Those that somebody but root may start, and what could not be looked at, a line each.
    #[must_use]
    pub fn programs(&self) -> (Vec<Program>, Vec<String>) {
        let own = Own::default();
        let mut looking = match self.begin(&own) {
            Ok(looking) => looking,
            Err(error) => return (Vec::new(), vec![format!("the host cannot be seen: {error}")]),
        };
        let mut found = Vec::new();
        for place in PLACES {
            if let Take::Programs(depth) | Take::Privileged(depth) = place.take {
                looking.programs(place.path, depth, &mut found);
            }
        }
        let passwd = looking.text("/etc/passwd").unwrap_or_default();
        let homes = homes(&passwd).into_iter().filter(|home| home.of_person).take(HOMES);
        for home in homes {
            let path = home.path;
            let path = if looking.is_merged(&path) { format!("/usr{path}") } else { path };
            for place in IN_PEOPLES_HOMES {
                if let (Take::Privileged(depth), "") = (place.take, place.path) {
                    looking.programs(&path, depth, &mut found);
                }
            }
        }
        let unseen = looking.picture.unseen();
        (found, unseen)
    }
}

impl Looking<'_> {
    fn programs(&mut self, place: &str, depth: usize, into: &mut Vec<Program>) {
        if self.is_foreign(place) {
            return;
        }
        let manner = Manner { depth, most: FILES.0, capabilities: true, mounts: &self.mounts };
        let (found, done) = walk(&self.root, place, manner, &mut self.budget);
        let mode = |bits: Mode, st_mode| Mode::from_bits_truncate(st_mode).intersects(bits);
        for one in found.iter().filter(|one| one.is(SFlag::S_IFREG)) {
            let stat = &one.stat;
            let is_roots = stat.st_uid == 0 && mode(Mode::S_ISUID, stat.st_mode);
            let others = mode(Mode::S_IXOTH, stat.st_mode);
            let starts = others || mode(Mode::S_IXGRP, stat.st_mode) && stat.st_gid != 0;
            if (is_roots || one.capable) && starts {
                let (path, gid) = (format!("{place}/{}", one.path), stat.st_gid);
                into.push(Program { path, others, gid, capable: !is_roots });
            }
        }
        self.note(place, done);
    }
}
