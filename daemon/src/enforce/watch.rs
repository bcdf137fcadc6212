//! Watching for changes of the files that grants rest on: the account and group files, the sudo rule
//! file, the folder of drop-ins. Says that something of them has changed, never what; reads none of
//! them.
//!
//! Folders are watched, not files: these files are replaced by rename. gshadow is left out: who is in
//! a group is looked up in group.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// A folder, and which names in it matter.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder.
    pub folder: PathBuf,
    /// Whether this name in it matters.
    pub matters: fn(&str) -> bool,
    /// Whether a change of mode or owner does too.
    pub attributes: bool,
}

/// Those of a host.
#[must_use]
pub fn of_host() -> Vec<Place> {
    let place =
        |folder: &str, matters, attributes| Place { folder: folder.into(), matters, attributes };
    vec![
        place("/etc", |name| matches!(name, "passwd" | "group"), false),
        place("/etc/sudoers.d", |name| name == "stint", true),
        place("/run/userdb", |name| name.ends_with(".membership"), false),
    ]
}

/// The kernel's watch on some places.
#[derive(Debug)]
pub struct Watch {
    inotify: Inotify,
    places: Vec<Place>,
    watched: Vec<(WatchDescriptor, usize)>,
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Watch {
    /// Begins to watch. A folder that is not there is no error: see [`Watch::renew`].
    ///
    /// # Errors
    /// When the kernel gives no watch: a limit is reached.
    pub fn new(places: Vec<Place>) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let mut watch = Self { inotify, places, watched: Vec::new() };
        watch.renew()?;
        Ok(watch)
    }

    /// Watches what has come into its place since, too. Costs a system call a folder.
    ///
    /// # Errors
    /// As [`Watch::new`].
    pub fn renew(&mut self) -> io::Result<()> {
        let mut watched = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            match self.inotify.add_watch(&place.folder, flags(place)) {
                Ok(watch) => watched.push((watch, at)),
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
                Err(error) => return Err(annotated(&place.folder, error)),
            }
        }
        // A folder that was moved away is still watched, and no longer in its place.
        for (old, _) in &self.watched {
            if !watched.iter().any(|(new, _)| new == old) {
                // One that is gone has taken its watch along.
                let _ = self.inotify.rm_watch(*old);
            }
        }
        self.watched = watched;
        Ok(())
    }

    /// Takes what the kernel has told since, and says whether any of it matters. `None` if it has
    /// told nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn take(&self) -> io::Result<Option<bool>> {
        match self.inotify.read_events() {
            Ok(events) => Ok(Some(events.iter().any(|event| self.matters(event)))),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn matters(&self, event: &InotifyEvent) -> bool {
        let whole = AddWatchFlags::IN_Q_OVERFLOW
            | AddWatchFlags::IN_IGNORED
            | AddWatchFlags::IN_UNMOUNT
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_DELETE_SELF;
        if event.mask.intersects(whole) {
            return true;
        }
        let place = self.watched.iter().find(|(watch, _)| *watch == event.wd);
        let place = place.and_then(|(_, at)| self.places.get(*at));
        let name = event.name.as_deref().and_then(OsStr::to_str);
        place.zip(name).is_some_and(|(place, name)| (place.matters)(name))
    }
}

fn flags(place: &Place) -> AddWatchFlags {
    let flags = AddWatchFlags::IN_ONLYDIR
        | AddWatchFlags::IN_DONT_FOLLOW
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF;
    // A link that is made is neither written nor moved.
    let more = AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_CREATE;
    if place.attributes { flags | more } else { flags }
}

fn annotated(folder: &Path, error: Errno) -> io::Error {
    let hint = match error {
        Errno::ENOSPC => ": the limit fs.inotify.max_user_watches is reached",
        _ => "",
    };
    io::Error::other(format!("{}: {}{hint}", folder.display(), error.desc()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn place(folder: PathBuf) -> Place {
        Place { folder, matters: |name| name == "group", attributes: true }
    }

    fn all(watch: &Watch) -> bool {
        let mut matters = false;
        while let Some(more) = watch.take().unwrap() {
            matters |= more;
        }
        matters
    }

    #[test]
    fn only_the_files_that_matter_do() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new(vec![place(dir.path().into())]).unwrap();
        assert_eq!(watch.take().unwrap(), None);
        let path = |name: &str| dir.path().join(name);
        for name in ["motd", "group.lock", "group-", ".group.stint", "Group"] {
            fs::write(path(name), "x").unwrap();
            fs::remove_file(path(name)).unwrap();
        }
        assert!(!all(&watch), "of no interest");
        fs::write(path("group+"), "x").unwrap();
        assert!(!all(&watch), "not in its place yet");
        fs::rename(path("group+"), path("group")).unwrap();
        assert!(all(&watch), "replaced");
        fs::write(path("group"), "y").unwrap();
        assert!(all(&watch), "written in place");
        fs::set_permissions(path("group"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        assert!(all(&watch), "its mode");
        fs::remove_file(path("group")).unwrap();
        assert!(all(&watch), "removed");
        std::os::unix::fs::symlink("motd", path("group")).unwrap();
        assert!(all(&watch), "a link");
    }

    #[test]
    fn a_folder_that_goes_and_comes_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, away) = (dir.path().join("etc"), dir.path().join("away"));
        let mut watch = Watch::new(vec![place(folder.clone())]).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("group"), "x").unwrap();
        assert!(!all(&watch), "nobody watches yet");
        watch.renew().unwrap();
        fs::write(folder.join("group"), "y").unwrap();
        assert!(all(&watch));
        fs::rename(&folder, &away).unwrap();
        assert!(all(&watch), "the folder itself");
        watch.renew().unwrap();
        all(&watch);
        fs::write(away.join("group"), "z").unwrap();
        assert!(!all(&watch), "no longer in its place");
        fs::create_dir(&folder).unwrap();
        watch.renew().unwrap();
        fs::write(folder.join("group"), "x").unwrap();
        assert!(all(&watch));
    }
}
