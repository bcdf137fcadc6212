//! The look: from the places and a root folder to a picture. What cannot be looked at is in the
//! picture as such. May wait for a disk: to be called where waiting is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;
use stint_proto::ResidueKind as Kind;

use super::accounts::{HOMES, Home, entries, homes, members_at};
use super::mounts::Mounts;
use super::picture::{Mark, Picture};
use super::places::{ACCOUNTS, IN_HOMES, IN_PEOPLES_HOMES, PASSED_BY, PLACES, Place, SHARED, Take};
use super::walk::{Budget, Found, Manner, Missed, open, stat, walk};
use crate::clock::SharedClock;
use crate::domain::control_group::grants_in;

/// How many files of one place, and of all of them, are looked at.
pub(super) const FILES: (usize, usize) = (5_000, 40_000);
/// How long it may take, in microseconds; a disk that hangs is the caller's to give up on.
const LIMIT: i64 = 2_000_000;
/// The largest file of accounts that is read.
const ACCOUNTS_LIMIT: u64 = 16 << 20;
/// Units of systemd's whose names begin like this are containers.
const CONTAINERS: &[&str] =
    &["docker-", "libpod-", "machine-", "crio-", "cri-containerd-", "lxc-", "podman-"];

/// What stint itself has put on the host, and is no residue.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// Who is in which group by a grant, in the files of groups.
    pub members: BTreeSet<(String, String)>,
    /// Its files, as they should be.
    pub files: BTreeMap<String, Mark>,
}

/// Which places are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Those that stint writes to as well: only while it does not.
    Shared,
    /// The others.
    Rest,
}

/// How to look, and where from.
#[derive(Clone)]
pub struct Look {
    root: PathBuf,
    mountinfo: PathBuf,
    clock: SharedClock,
}

impl Look {
    /// At the host as its first process sees it: a unit that is hardened has a /tmp and homes of
    /// its own, or none.
    #[must_use]
    pub fn of_host(clock: SharedClock) -> Self {
        Self { root: "/proc/1/root".into(), mountinfo: "/proc/1/mountinfo".into(), clock }
    }

    /// Looks.
    #[must_use]
    pub fn look(&self, part: Part, own: &Own) -> Picture {
        let mut looking = match self.begin(own) {
            Ok(looking) => looking,
            Err(error) => return Picture::blind(&format!("the host cannot be seen: {error}")),
        };
        match part {
            Part::Shared => {
                looking.places(SHARED);
                looking.accounts();
            }
            Part::Rest => {
                looking.places(PLACES);
                looking.homes();
            }
        }
        let looked_at = FILES.1.saturating_sub(looking.budget.files);
        looking.picture.files = u32::try_from(looked_at).unwrap_or(u32::MAX);
        looking.picture
    }

    /// Opens the host.
    pub(super) fn begin<'a>(&self, own: &'a Own) -> std::io::Result<Looking<'a>> {
        let root = File::options()
            .read(true)
            .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
            .open(&self.root)?;
        // People mount file systems of their own at places of any name.
        let mountinfo = std::fs::read(&self.mountinfo)?;
        let mounts = Mounts::parse(&String::from_utf8_lossy(&mountinfo));
        let until = self.clock.now().boot.saturating_add(LIMIT);
        let budget = Budget { clock: self.clock.clone(), until, files: FILES.1 };
        Ok(Looking { root, mounts, budget, own, picture: Picture::default() })
    }
}

/// A look that is under way.
pub(super) struct Looking<'a> {
    pub(super) root: File,
    pub(super) mounts: Mounts,
    pub(super) budget: Budget,
    own: &'a Own,
    pub(super) picture: Picture,
}

impl Looking<'_> {
    fn places(&mut self, places: &[Place]) {
        for place in places {
            self.place(place.path, place.kind, place.take);
        }
    }

    fn place(&mut self, path: &str, kind: Kind, take: Take) {
        if self.is_foreign(path) {
            return;
        }
        let done = match take {
            Take::File => self.file(path, kind),
            Take::Tree(depth) => self.folder(path, depth, false, |own, one, path| {
                let of = if one.is(SFlag::S_IFDIR) { Mark::of_rights } else { Mark::of_file };
                Some((kind, own.mark(path, of(&one.stat))?))
            }),
            Take::Programs(depth) => self.folder(path, depth, true, |_, one, _| {
                let is_folder = one.is(SFlag::S_IFDIR);
                let other = (!is_folder).then(|| (kind, Mark::of_file(&one.stat)));
                privileged(one).or(other)
            }),
            Take::Privileged(depth) => self.folder(path, depth, true, |_, one, _| privileged(one)),
            Take::Units => {
                let sessions = self.sessions();
                self.folder(path, 1, false, |_, one, path| unit(one, path, &sessions))
            }
            Take::Groups(first) => self.folder(path, 1, false, |_, one, _| {
                let counts = !one.path.is_empty() && one.path.starts_with(first);
                (counts && one.is(SFlag::S_IFDIR)).then(|| (kind, Mark::default()))
            }),
        };
        self.note(path, done);
    }

    pub(super) fn is_foreign(&mut self, path: &str) -> bool {
        let Some(kind) = self.mounts.foreign(path) else { return false };
        let why = format!("it is on {kind}, which may not be local");
        self.picture.unseen.insert(path.to_owned(), why);
        true
    }

    pub(super) fn note(&mut self, path: &str, done: Result<(), Missed>) {
        let Err(missed) = done else { return };
        let is_merged = matches!(missed, Missed::Link) && matches!(path, "/bin" | "/sbin");
        if let Some(why) = missed.why().filter(|_| !is_merged) {
            self.picture.unseen.insert(path.to_owned(), why);
        }
    }

    fn file(&mut self, path: &str, kind: Kind) -> Result<(), Missed> {
        self.budget.take()?;
        let stat = stat(&self.root, path)?;
        self.picture.put(kind, path.to_owned(), Mark::of_file(&stat));
        Ok(())
    }

    fn folder(
        &mut self,
        place: &str,
        depth: usize,
        capabilities: bool,
        take: impl Fn(&Own, &Found, &str) -> Option<(Kind, Mark)>,
    ) -> Result<(), Missed> {
        let manner = Manner { depth, most: FILES.0, capabilities, mounts: &self.mounts };
        let (found, done) = walk(&self.root, place, manner, &mut self.budget);
        for one in found {
            let path = match one.path.as_str() {
                "" => place.to_owned(),
                inside => format!("{place}/{inside}"),
            };
            if !PASSED_BY.contains(&path.as_str())
                && let Some((kind, mark)) = take(self.own, &one, &path)
            {
                let is_folder = one.is(SFlag::S_IFDIR) && kind != Kind::Container;
                let end = if is_folder { "/" } else { "" };
                self.picture.put(kind, path + end, mark);
            }
        }
        done
    }

    /// The logins that logind knows: their scopes are its own.
    fn sessions(&mut self) -> BTreeSet<String> {
        let mounts = &self.mounts;
        let manner = Manner { depth: 1, most: FILES.0, capabilities: false, mounts };
        let (found, _) = walk(&self.root, "/run/systemd/sessions", manner, &mut self.budget);
        found.into_iter().map(|one| one.path).collect()
    }

    fn homes(&mut self) {
        let passwd = self.text("/etc/passwd").unwrap_or_default();
        for (number, Home { path, of_person }) in homes(&passwd).into_iter().enumerate() {
            if number >= HOMES {
                self.picture.unseen.insert(path, "there are too many homes".to_owned());
                continue;
            }
            let path = if self.is_merged(&path) { format!("/usr{path}") } else { path };
            if self.is_foreign(&path) {
                continue;
            }
            let inside = if of_person { IN_PEOPLES_HOMES } else { &[] };
            for place in IN_HOMES.iter().chain(inside) {
                let path = match place.path {
                    "" => path.clone(),
                    inside => format!("{path}/{inside}"),
                };
                self.place(&path, place.kind, place.take);
            }
        }
    }

    /// Some accounts of the system live in a folder that is a link on a merged host.
    pub(super) fn is_merged(&self, home: &str) -> bool {
        let first = home.split('/').nth(1).unwrap_or_default();
        let is_link = || {
            let stat = stat(&self.root, first);
            stat.is_ok_and(|stat| stat.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFLNK.bits())
        };
        matches!(first, "bin" | "sbin" | "lib" | "lib64") && is_link()
    }

    fn accounts(&mut self) {
        for path in ACCOUNTS {
            let done = self.account_file(path);
            self.note(path, done);
        }
    }

    fn account_file(&mut self, path: &str) -> Result<(), Missed> {
        self.budget.take()?;
        let rights = Mark::of_rights(&stat(&self.root, path)?);
        let text = self.text(path)?;
        self.picture.put(Kind::Account, path.to_owned(), rights);
        let entries = entries(&text, members_at(path), &self.own.members);
        self.picture.entries.insert(path.to_owned(), entries);
        Ok(())
    }

    pub(super) fn text(&self, path: &str) -> Result<String, Missed> {
        let file = File::from(open(&self.root.as_fd(), path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?);
        let mut bytes = Vec::new();
        let read = file.take(ACCOUNTS_LIMIT + 1).read_to_end(&mut bytes);
        match read.map(|read| u64::try_from(read).unwrap_or(u64::MAX)) {
            Ok(read) if read > ACCOUNTS_LIMIT => Err(Missed::TooMuch),
            Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                let code = error.raw_os_error().unwrap_or_default();
                Err(nix::errno::Errno::from_raw(code).into())
            }
        }
    }
}

impl Own {
    /// The mark of a file that may be stint's own; `None` for one of its memberships.
    fn mark(&self, path: &str, mark: Mark) -> Option<Mark> {
        let is_membership = || {
            let name = path.strip_prefix("/run/userdb/")?.strip_suffix(".membership")?;
            let (user, group) = name.split_once(':')?;
            Some(self.members.contains(&(user.to_owned(), group.to_owned())))
        };
        if is_membership() == Some(true) {
            return None;
        }
        Some(if self.files.get(path) == Some(&mark) { Mark::own() } else { mark })
    }
}

/// A program that brings privileges of its own.
fn privileged(one: &Found) -> Option<(Kind, Mark)> {
    let kind = if one.is_setuid() {
        Kind::Setuid
    } else if one.capable {
        Kind::Capability
    } else {
        return None;
    };
    Some((kind, Mark::of_file(&one.stat)))
}

/// A unit without a file of its own; not the scopes of logins, stint's sessions and stint's hooks.
fn unit(one: &Found, path: &str, sessions: &BTreeSet<String>) -> Option<(Kind, Mark)> {
    let name = Path::new(path).file_name()?.to_str()?;
    let login = name.strip_prefix("session-").and_then(|name| name.strip_suffix(".scope"));
    let is_login = login.is_some_and(|id| sessions.contains(id));
    let is_stints = grants_in(name).is_some() || name.starts_with("stint-hook-");
    if !one.is(SFlag::S_IFREG) || is_login || is_stints {
        return None;
    }
    let is_container = CONTAINERS.iter().any(|first| name.starts_with(first));
    let kind = if is_container { Kind::Container } else { Kind::Transient };
    Some((kind, Mark::of_file(&one.stat)))
}

#[cfg(test)]
mod tests;
