//! The start: state read and checked, deadlines found again, what is over ended, the host brought
//! to what is still held; all of it before the first answer.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use stint_policy::{Policy, SourceFile};
use stint_proto::{GrantId, Timestamp};
use tokio::sync::{Notify, mpsc, watch};

use super::alarms::Alarms;
use super::end::Ending;
use super::mechanisms::Mechanisms;
use super::residue::Watched;
use super::{Engine, Lookups, State};
use crate::clock::{Moment, SharedClock};
use crate::domain::deadline::Deadline;
use crate::domain::grant::Stage;
use crate::domain::index::Index;
use crate::domain::passed::Passed;
use crate::domain::pending::Pending;
use crate::notices::{Hooks, Notices};
use crate::record::{Journal, Record};
use crate::residue::Look;
use crate::sessions::Tree;
use crate::store::{Loaded, Store, StoreError, Write};

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The policy's first file.
    pub policy_file: PathBuf,
    /// The policy's drop-in folder.
    pub policy_dir: PathBuf,
    /// The state's folder.
    pub state_dir: PathBuf,
    /// The journal's socket.
    pub journal: PathBuf,
    /// The syslog socket.
    pub syslog: PathBuf,
}

impl Places {
    /// Where everything is on a host.
    #[must_use]
    pub fn of_host() -> Self {
        Self {
            policy_file: stint_proto::POLICY_FILE.into(),
            policy_dir: stint_proto::POLICY_DROP_IN_DIR.into(),
            state_dir: stint_proto::STATE_DIR.into(),
            journal: "/run/systemd/journal/socket".into(),
            syslog: "/dev/log".into(),
        }
    }
}

/// Why the daemon cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The state cannot be used.
    Store(StoreError),
    /// Another stintd holds the state.
    Running {
        /// By this lock.
        path: PathBuf,
    },
    /// The lock cannot be taken.
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The kernel does not say which boot or which host this is.
    Host(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Running { path } => write!(
                f,
                "a stintd is running already (it holds {}): systemctl stop stintd.socket stintd",
                path.display()
            ),
            Self::Lock { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Host(error) => write!(f, "the kernel does not say which host this is: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Engine {
    /// Opens the state on this host; nothing is enforced, begun or ended yet.
    ///
    /// # Errors
    /// [`StartError`] when the state cannot be used, or another stintd uses it.
    pub async fn open(
        places: Places,
        clock: SharedClock,
        mechanisms: Mechanisms,
    ) -> Result<(Arc<Self>, Vec<SourceFile>), StartError> {
        let lock = lock(&places.state_dir.join("lock"))?;
        let boot_id = crate::clock::boot_id().map_err(StartError::Host)?;
        let host = nix::unistd::gethostname()
            .map_err(|error| StartError::Host(error.into()))?
            .to_string_lossy()
            .into_owned();
        let (store, loaded) = Store::open(&places.state_dir.join("state.sqlite"), &boot_id)?;
        let record =
            Record::new(Journal::new(places.journal.clone(), places.syslog.clone()), store.clone());
        let Loaded { grants, requests, memberships, sessions, policy, high_water, evictions } =
            loaded;
        let now = clock.now();
        let mut index = Index::default();
        let mut unsaved = Vec::new();
        for stored in grants {
            let mut grant = stored.grant;
            if stored.boot_id != boot_id {
                grant.deadline = found_again(grant.deadline, grant.stage, now, high_water);
                // Under this boot's id from now on: another start counts on, not anew.
                unsaved.push(Write::Grant(grant.clone()));
            }
            index.put(grant);
        }
        let mut pending = Pending::default();
        requests.into_iter().for_each(|request| pending.put(request));
        let polkit = mechanisms.polkit();
        let (notices, told) = Notices::new();
        let (evict, owed) = mpsc::unbounded_channel();
        let residue = Watched::new(Look::of_host(Arc::clone(&clock)));
        let (making, made) = mpsc::unbounded_channel();
        let engine = Arc::new(Self {
            clock,
            host,
            places,
            store,
            record,
            lookups: Lookups::default(),
            public_lookups: Lookups::default(),
            evicting: Lookups::default(),
            mechanisms: Arc::new(Mutex::new(mechanisms)),
            notices,
            told: Mutex::new(Some(told)),
            hooks: Hooks::default(),
            tree: Tree::of_host(),
            bus: OnceLock::new(),
            residue,
            evictions: evict,
            owed: Mutex::new(Some(owed)),
            polkit,
            ruled: Arc::default(),
            making,
            made: Mutex::new(Some(made)),
            changes: tokio::sync::Mutex::new(()),
            reloads: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                policy: Arc::new(Policy::default()),
                index,
                pending,
                owned: memberships.into_iter().collect(),
                sessions: sessions.into_iter().map(|open| (open.id.clone(), open)).collect(),
                passed: Passed::default(),
                alarms: Alarms::default(),
                policy_problem: None,
                high_water: Moment { wall: high_water.max(now.wall), boot: now.boot },
                backend: "auto".to_owned(),
                unsaved,
                unbegun: None,
                unended: BTreeMap::new(),
                unforgotten: None,
                warned: BTreeMap::new(),
            }),
            rearm: Notify::new(),
            serial: watch::Sender::new(0),
            _lock: lock,
        });
        engine.evict(evictions);
        Ok((engine, policy))
    }

    /// Brings the host in line with the policy and with what is still held. The policy first:
    /// without it nothing is conferred, and what still holds would be taken back. What is over
    /// confers nothing either way.
    pub async fn begin(&self, last_good: Vec<SourceFile>) {
        self.store_or_keep(Vec::new()).await;
        self.first_policy(last_good).await;
        self.turn(self.now()).await;
        self.start_due().await;
    }

    /// Ends every grant and takes back everything: for the removal of the package.
    ///
    /// # Errors
    /// What could not be taken back, one line each.
    pub async fn end_everything(&self, why: &str) -> Result<usize, Vec<String>> {
        let changing = self.changes.lock().await;
        let ids: Vec<GrantId> = self.state().index.iter().map(|grant| grant.id.clone()).collect();
        let ended = self.end(ids, &Ending::revoked("root", why)).await;
        let mut failures: Vec<String> =
            self.enforce().await.into_iter().map(|failure| failure.text).collect();
        drop(changing);
        // Where there is no bus, polkit neither asks nor hears an answer.
        if self.bus().is_some() {
            failures.extend(self.forget_now().await.err());
        }
        failures.extend(self.evict_now().await.err().unwrap_or_default());
        self.look_after().await;
        self.tidy_groups().await;
        if failures.is_empty() {
            return Ok(ended.len());
        }
        Err(failures)
    }
}

/// Keeps a second stintd away for as long as the returned file is open.
fn lock(path: &Path) -> Result<Flock<File>, StartError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StartError::Lock { path: path.to_owned(), error })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => StartError::Running { path: path.to_owned() },
        other => StartError::Lock { path: path.to_owned(), error: other.into() },
    })
}

/// The deadline of a grant that was made under another boot: its boot clock says nothing any more,
/// and the wall clock is trusted only as far as it has not gone back.
fn found_again(old: Deadline, stage: Stage, now: Moment, high_water: Timestamp) -> Deadline {
    match stage {
        Stage::Active | Stage::Scheduled => Deadline::from_wall(old.wall, now, high_water),
        Stage::Ended { .. } => old,
    }
}
