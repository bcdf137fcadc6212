//! Memberships as drop-ins for nss-systemd: `/run/userdb/USER:GROUP.membership`. For groups that
//! are not in /etc/group. They go at a reboot and are made again at the next start. Touches no
//! drop-in that somebody else has made.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use stint_proto::{GroupName, UserName};

use super::change::{Action, Change, Intend, Membership, Outcome, foresee_all};
use crate::accounts;
use stint_hostfiles::{Look, Staged, open_dir, remove};

/// An empty file would not count; an empty object does.
const CONTENT: &[u8] = b"{}\n";
const TEMPORARY: &str = ".stint.new";
/// How long the account database may take to say who is a member already.
const DATABASE_LIMIT: Duration = Duration::from_secs(5);

/// How it is found out who is a member already, without stint.
#[derive(Clone, Copy, Debug)]
enum Standing {
    /// Asks the account database.
    Database,
    /// Nobody is a member already.
    #[cfg(test)]
    Nobody,
    /// Everybody is a member already.
    #[cfg(test)]
    Everybody,
}

/// The folder of drop-ins.
#[derive(Clone, Debug)]
pub struct Userdb {
    dir: PathBuf,
    standing: Standing,
}

/// Why a batch of changes was not made. Nothing was changed.
#[derive(Debug)]
pub enum UserdbError {
    /// The folder cannot be made or opened.
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The intention could not be made durable.
    Intend(String),
}

impl fmt::Display for UserdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder { path, error } => {
                write!(f, "{} cannot be used for memberships: {error}", path.display())
            }
            Self::Intend(why) => write!(f, "the change could not be recorded first: {why}"),
        }
    }
}

impl std::error::Error for UserdbError {}

/// Asks the account database on a thread of its own: one that hangs must not hold up every end.
fn ask_database(user: UserName, group: GroupName) -> Result<bool, String> {
    let (tell, told) = mpsc::channel();
    thread::Builder::new()
        .name("accounts".to_owned())
        // Nobody listening any more is the asker's word that it took too long.
        .spawn(move || tell.send(accounts::is_member(&user, &group)).ok())
        .map_err(|error| error.to_string())?;
    match told.recv_timeout(DATABASE_LIMIT) {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err("the account database did not say in time who is a member".to_owned()),
    }
}

fn file_name(membership: &Membership) -> String {
    format!("{}:{}.membership", membership.0, membership.1)
}

impl Userdb {
    /// The host's own: /run/userdb.
    #[must_use]
    pub fn of_host() -> Self {
        Self { dir: "/run/userdb".into(), standing: Standing::Database }
    }

    /// Makes a batch of changes; the outcomes are in the batch's order. `owned` is what stint has
    /// given before: a drop-in that is not in it is somebody else's and is left alone.
    ///
    /// # Errors
    /// [`UserdbError`] when nothing could be changed. What stands in the way of one change alone
    /// is that change's [`Outcome::Failed`].
    pub fn apply(
        &self,
        changes: &[Change],
        owned: &BTreeSet<Membership>,
        intend: &mut Intend<'_>,
    ) -> Result<Vec<Outcome>, UserdbError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        // With what a crash may have left half-made.
        let folder = self
            .folder()
            .and_then(|folder| remove(&folder, TEMPORARY).map(|_| folder))
            .map_err(|error| UserdbError::Folder { path: self.dir.clone(), error })?;
        let foresee = |change: &Change| {
            self.foresee(&folder, change, owned.contains(&change.membership))
                .unwrap_or_else(|why| Outcome::Failed(self.failure(change, &why)))
        };
        let mut outcomes = foresee_all(changes, foresee, intend).map_err(UserdbError::Intend)?;
        for (change, outcome) in changes.iter().zip(&mut outcomes) {
            if outcome.is_change()
                && let Err(error) = make(&folder, change)
            {
                *outcome = Outcome::Failed(self.failure(change, &error.to_string()));
            }
        }
        Ok(outcomes)
    }

    /// Which of these have no drop-in. Where the folder cannot be read, none is missing.
    #[must_use]
    pub fn missing(&self, memberships: &BTreeSet<Membership>) -> BTreeSet<Membership> {
        let folder = match open_dir(&self.dir) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return memberships.clone(),
            Err(_) => return BTreeSet::new(),
        };
        let gone = |membership: &&Membership| {
            exists(&folder, &file_name(membership)).is_ok_and(|there| !there)
        };
        memberships.iter().filter(gone).cloned().collect()
    }

    fn foresee(&self, folder: &File, change: &Change, ours: bool) -> Result<Outcome, String> {
        let there = exists(folder, &file_name(&change.membership)).map_err(|e| e.to_string())?;
        let (user, group) = &change.membership;
        Ok(match change.action {
            Action::Add | Action::Keep if there => Outcome::AlreadyMember,
            Action::Keep => Outcome::Missing,
            Action::Add if !ours && self.is_standing(user, group)? => Outcome::AlreadyMember,
            Action::Add => Outcome::Added,
            Action::Remove if there && ours => Outcome::Removed,
            Action::Remove => Outcome::WasNotMember,
        })
    }

    fn is_standing(&self, user: &UserName, group: &GroupName) -> Result<bool, String> {
        match self.standing {
            Standing::Database => ask_database(user.clone(), group.clone()),
            #[cfg(test)]
            Standing::Nobody => Ok(false),
            #[cfg(test)]
            Standing::Everybody => Ok(true),
        }
    }

    fn failure(&self, change: &Change, why: &str) -> String {
        format!("{}: {why}", self.dir.join(file_name(&change.membership)).display())
    }

    fn folder(&self) -> io::Result<File> {
        match DirBuilder::new().mode(0o755).create(&self.dir) {
            // The daemon's umask is its own; lookups are everybody's.
            Ok(()) => open_dir(&self.dir).and_then(|folder| {
                folder.set_permissions(Permissions::from_mode(0o755)).map(|()| folder)
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_dir(&self.dir),
            Err(error) => Err(error),
        }
    }
}

fn exists(folder: &File, name: &str) -> io::Result<bool> {
    match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn make(folder: &File, change: &Change) -> io::Result<()> {
    let name = file_name(&change.membership);
    match change.action {
        Action::Keep => Ok(()),
        Action::Add => Staged::write(folder, TEMPORARY, CONTENT, &Look::Mode(0o644))?.commit(&name),
        Action::Remove => {
            remove(folder, &name)?;
            folder.sync_all()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn at(dir: &tempfile::TempDir, standing: Standing) -> Userdb {
        Userdb { dir: dir.path().join("userdb"), standing }
    }

    fn alice() -> Membership {
        ("alice".parse().unwrap(), "docker".parse().unwrap())
    }

    fn change(action: Action) -> [Change; 1] {
        [Change { membership: alice(), action }]
    }

    fn file(dir: &tempfile::TempDir) -> PathBuf {
        dir.path().join("userdb/alice:docker.membership")
    }

    #[test]
    fn what_somebody_else_made_is_standing_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let userdb = at(&dir, Standing::Nobody);
        fs::create_dir(dir.path().join("userdb")).unwrap();
        fs::write(file(&dir), "{ }").unwrap();
        let none = BTreeSet::new();
        let mut never = |_: &[Change]| -> Result<(), String> { panic!("nothing is intended") };
        let added = userdb.apply(&change(Action::Add), &none, &mut never).unwrap();
        assert_eq!(added, [Outcome::AlreadyMember]);
        let removed = userdb.apply(&change(Action::Remove), &none, &mut never).unwrap();
        assert_eq!(removed, [Outcome::WasNotMember]);
        assert_eq!(fs::read(file(&dir)).unwrap(), b"{ }");
    }

    #[test]
    fn a_standing_member_gets_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let userdb = at(&dir, Standing::Everybody);
        let outcome =
            userdb.apply(&change(Action::Add), &BTreeSet::new(), &mut |_| Ok(())).unwrap();
        assert_eq!(outcome, [Outcome::AlreadyMember]);
        assert!(!file(&dir).exists());
    }

    #[test]
    fn without_a_durable_intention_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let userdb = at(&dir, Standing::Nobody);
        let refuse = &mut |_: &[Change]| Err("disk full".to_owned());
        let refused = userdb.apply(&change(Action::Add), &BTreeSet::new(), refuse);
        assert!(matches!(refused, Err(UserdbError::Intend(_))));
        assert!(!file(&dir).exists());
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/tmp", dir.path().join("userdb")).unwrap();
        let refused =
            at(&dir, Standing::Nobody)
                .apply(&change(Action::Add), &BTreeSet::new(), &mut |_| Ok(()));
        assert!(matches!(refused, Err(UserdbError::Folder { .. })));
    }

    #[test]
    fn gives_and_takes_back_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let userdb = at(&dir, Standing::Nobody);
        let owned = BTreeSet::from([alice()]);
        let added = userdb.apply(&change(Action::Add), &owned, &mut |_| Ok(())).unwrap();
        assert_eq!(added, [Outcome::Added]);
        assert_eq!(fs::read(file(&dir)).unwrap(), CONTENT);
        assert_eq!(fs::metadata(file(&dir)).unwrap().permissions().mode() & 0o7777, 0o644);
        let folder = fs::metadata(dir.path().join("userdb")).unwrap();
        assert_eq!(folder.permissions().mode() & 0o7777, 0o755);
        fs::write(dir.path().join("userdb").join(TEMPORARY), "left by a crash").unwrap();
        let kept = || userdb.apply(&change(Action::Keep), &owned, &mut |_| Ok(())).unwrap();
        assert_eq!((kept(), userdb.missing(&owned)), (vec![Outcome::AlreadyMember], [].into()));
        fs::rename(file(&dir), dir.path().join("away")).unwrap();
        assert_eq!((kept(), userdb.missing(&owned)), (vec![Outcome::Missing], owned.clone()));
        fs::rename(dir.path().join("away"), file(&dir)).unwrap();
        let removed = userdb.apply(&change(Action::Remove), &owned, &mut |_| Ok(())).unwrap();
        assert_eq!(removed, [Outcome::Removed]);
        assert_eq!(fs::read_dir(dir.path().join("userdb")).unwrap().count(), 0);
    }
}
