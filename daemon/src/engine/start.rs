//! The start: state read and checked, deadlines found again, what is over ended, the host brought
//! to what is still held; all of it before the first answer.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use stint_policy::{Policy, SourceFile};
use stint_proto::{Event, GrantId, Timestamp};
use tokio::sync::{Notify, mpsc, watch};

use super::alarms::Alarms;
use super::drift::Drift;
use super::end::Ending;
use super::listing::Listing;
use super::mechanisms::Mechanisms;
use super::remote::Remote;
use super::residue::Watched;
use super::{Engine, Lookups, State};
use crate::applied::{Applied, Ended};
use crate::clock::{Moment, SharedClock};
use crate::domain::deadline::{Deadline, Kept, Mark, Past, STEP};
use crate::domain::entrances::Entrances;
use crate::domain::grant::{Grant, Stage};
use crate::domain::index::Index;
use crate::domain::passed::Passed;
use crate::domain::pending::Pending;
use crate::notices::{Hooks, Notices};
use crate::record::{Entry, Journal, KernelAudit, Record, Signing};
use crate::residue::Look;
use crate::sessions::Tree;
use crate::store::{Loaded, Store, StoreError, StoredGrant, Write};

/// How often, and with what pauses, a lock that is held is tried: a sweep that takes memberships back
/// may wait for others.
const LOCK_TRIES: usize = 30;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// The policy's first file.
    pub policy_file: PathBuf,
    /// The policy's drop-in folder.
    pub policy_dir: PathBuf,
    /// Who may sign what.
    pub signers_file: PathBuf,
    /// The state's folder.
    pub state_dir: PathBuf,
    /// The journal's socket.
    pub journal: PathBuf,
    /// The syslog socket.
    pub syslog: PathBuf,
    /// The folder of this boot.
    pub run_dir: PathBuf,
    /// Whether the kernel's audit is written to.
    pub kernel_audit: bool,
}

impl Places {
    /// Where everything is on a host.
    #[must_use]
    pub fn of_host() -> Self {
        Self {
            policy_file: stint_proto::POLICY_FILE.into(),
            policy_dir: stint_proto::POLICY_DROP_IN_DIR.into(),
            signers_file: stint_proto::SIGNERS_FILE.into(),
            state_dir: stint_proto::STATE_DIR.into(),
            journal: "/run/systemd/journal/socket".into(),
            syslog: "/dev/log".into(),
            run_dir: stint_proto::RUNTIME_DIR.into(),
            kernel_audit: true,
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
        error: io::Error,
    },
    /// The kernel does not say which boot or which host this is.
    Host(io::Error),
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
        mut mechanisms: Mechanisms,
    ) -> Result<(Arc<Self>, Vec<SourceFile>), StartError> {
        let lock = lock(&places.state_dir).await?;
        // Not before: a sweep may have been at it.
        for problem in mechanisms.read_list() {
            eprintln!("stintd: {problem}");
        }
        let boot_id = crate::clock::boot_id().map_err(StartError::Host)?;
        let host = nix::unistd::gethostname()
            .map_err(|error| StartError::Host(error.into()))?
            .to_string_lossy()
            .into_owned();
        let (store, loaded) = Store::open(&places.state_dir.join("state.sqlite"), &boot_id)?;
        let audit = if places.kernel_audit { KernelAudit::of_host() } else { KernelAudit::none() };
        let journal = Journal::new(places.journal.clone(), places.syslog.clone());
        let record = Record::new(
            journal,
            store.clone(),
            audit,
            Signing::new(places.state_dir.clone(), &host),
        );
        let drift = Drift::found(&loaded);
        let Loaded {
            grants,
            requests,
            memberships,
            sessions,
            policy,
            signed,
            serial,
            high_water,
            evictions,
            carriers,
            ..
        } = loaded;
        let now = clock.now();
        let here = Mark { boot_id: boot_id.clone(), at: now };
        let (index, mut unsaved) = carried(grants, &here, high_water, mechanisms.listed());
        let step_back = high_water.micros_since(now.wall);
        if step_back > STEP {
            // Told once, and from now on this is the time: no deadline rests on the other.
            unsaved.push(Write::ClockTaken(now.wall));
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
            boot_id,
            ended: Ended::at(&places.run_dir),
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
            standing: super::standing::Looked::default(),
            evictions: evict,
            owed: Mutex::new(Some(owed)),
            polkit,
            ruled: Arc::default(),
            making,
            put_off: Mutex::default(),
            made: Mutex::new(Some(made)),
            changes: tokio::sync::Mutex::new(()),
            reloads: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                policy: Arc::new(Policy::default()),
                index,
                pending,
                owned: memberships.into_iter().map(|(own, _)| own).collect(),
                sessions: sessions.into_iter().map(|open| (open.id.clone(), open)).collect(),
                passed: Passed::default(),
                entrances: Entrances::default(),
                alarms: Alarms::default(),
                policy_problem: None,
                remote: Remote::found(signed, serial),
                high_water: Moment { wall: high_water.max(now.wall), boot: now.boot },
                carried: carriers.into_iter().collect(),
                owed: BTreeMap::new(),
                listing: Listing { is_due: true, ..Listing::default() },
                backend: "auto".to_owned(),
                unsaved,
                unbegun: None,
                unheld: None,
                hold_again: false,
                unended: BTreeMap::new(),
                unforgotten: None,
                warned: BTreeMap::new(),
                drift,
            }),
            rearm: Notify::new(),
            look: Notify::new(),
            // Another one with each start, so that nobody takes what they have seen of the one before
            // for what there is.
            serial: watch::Sender::new(now.boot.unsigned_abs()),
            started: now,
            _lock: lock,
        });
        engine.evict(evictions);
        if step_back > STEP {
            engine.record.note(Entry::new(now.wall, Event::ClockStepped, behind(high_water, now)));
        }
        Ok((engine, policy))
    }

    /// Brings the host in line with the policy and with what is still held. The policy first:
    /// without it nothing is conferred, and what still holds would be taken back. What is over
    /// confers nothing either way.
    pub async fn begin(&self, last_good: Vec<SourceFile>) {
        self.store_or_keep(Vec::new()).await;
        let noted = self.close_on_noted();
        let listed =
            self.mechanisms.lock().unwrap_or_else(PoisonError::into_inner).listed().clone();
        self.take_in_list(&listed).await;
        self.first_policy(last_good).await;
        self.record.tell_of_chain();
        self.take_back_noted(noted).await;
        self.notice_stale(self.now()).await;
        self.turn(self.now()).await;
        self.start_due().await;
    }

    /// Ends every grant and takes back everything: for the removal of the package.
    ///
    /// # Errors
    /// What could not be taken back, one line each.
    pub async fn end_everything(&self, why: &str) -> Result<usize, Vec<String>> {
        self.record.tell_of_chain();
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
        let changing = self.changes.lock().await;
        self.relist().await;
        drop(changing);
        failures.extend(self.state().listing.failed.take().map(|failure| failure.text));
        if failures.is_empty() {
            return Ok(ended.len());
        }
        Err(failures)
    }
}

/// Keeps a second stintd away for as long as the returned file is open. The sweep, which holds it
/// for a moment, is waited for.
async fn lock(state_dir: &Path) -> Result<Flock<File>, StartError> {
    for _ in 0..LOCK_TRIES {
        match hold(state_dir) {
            Err(StartError::Running { .. }) => tokio::time::sleep(LOCK_PAUSE).await,
            held => return held,
        }
    }
    hold(state_dir)
}

/// Takes the lock that a stintd holds for as long as it runs.
///
/// # Errors
/// [`StartError::Running`] when another holds it.
pub fn hold(state_dir: &Path) -> Result<Flock<File>, StartError> {
    let path = state_dir.join("lock");
    let mut options = File::options();
    options.create(true).truncate(false).write(true).mode(0o600);
    let opened = match options.open(&path) {
        // Held all the same, where the disk can only be read.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path),
        opened => opened,
    };
    let file = opened.map_err(|error| StartError::Lock { path: path.clone(), error })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => StartError::Running { path },
        other => StartError::Lock { path, error: other.into() },
    })
}

/// The running grants with their deadlines on this boot's clocks, and what is to be written of it.
fn carried(
    grants: Vec<StoredGrant>,
    here: &Mark,
    high_water: Timestamp,
    listed: &Applied,
) -> (Index, Vec<Write>) {
    let mut index = Index::default();
    let mut unsaved = Vec::new();
    for StoredGrant { mut grant, boot_id } in grants {
        if boot_id != here.boot_id {
            let kept = Kept { deadline: grant.deadline, boot_id };
            grant.deadline = found_again(&kept, &grant, here, high_water, listed);
            // Under this boot's id from now on: another start counts on, not anew.
            unsaved.push(Write::Grant(grant.clone()));
        }
        index.put(grant);
    }
    (index, unsaved)
}

/// The deadline of a grant that was made under another boot: the earlier of what the state and the
/// list say of it.
fn found_again(
    kept: &Kept,
    grant: &Grant,
    here: &Mark,
    high_water: Timestamp,
    listed: &Applied,
) -> Deadline {
    // One that has not begun is measured from its beginning; a clock that was once far ahead says
    // nothing of it.
    let seen = if grant.stage == Stage::Scheduled { here.at.wall } else { high_water };
    let mut deadline = kept.in_boot(here, &Past { mark: listed.mark.clone(), seen });
    if let Some(held) = listed.grants.get(&grant.id) {
        let by_list = held.until.in_boot(here, &listed.past());
        deadline.boot = deadline.boot.min(by_list.boot);
    }
    deadline
}

fn behind(high_water: Timestamp, now: Moment) -> String {
    format!(
        "the wall clock says {} and has said {high_water} before; no grant is longer for it",
        now.wall
    )
}
