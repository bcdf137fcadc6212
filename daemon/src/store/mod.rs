//! The state: one SQLite file, one thread that owns it.
//!
//! What changes a grant is committed, and on the disk (synchronous=FULL), before [`Store::change`]
//! returns. What is only told is written with the next batch, at most 50 ms later. No rule lives
//! here.

mod chain_rows;
mod cuts;
mod document_rows;
mod drift_rows;
mod error;
mod eviction_rows;
mod floods;
mod outbox;
mod request_rows;
mod residue_rows;
mod review_rows;
mod rows;
mod schema;
mod standing_rows;
mod values;
mod writer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

pub use document_rows::{Against, Digest, LastSerial, SignedPolicy, TakenDocument};
pub use error::StoreError;
pub use outbox::{HookWrite, Outbox, OutboxEvent, OutboxRow};
pub use rows::StoredGrant;
use rusqlite::{Connection, OpenFlags};
use stint_policy::Retention;
use stint_proto::{
    Attestation, GrantId, GroupName, RecordPage, RequestId, Residue, RoleName, Timestamp, Uid,
    UserName,
};
use tokio::sync::oneshot;
pub use values::{
    Backend, Compared, Conferred, Eviction, EvictionOf, FirstLook, FirstPicture, GrantsRead, Left,
    Loaded, LocalAccount, Membership, Session, ToCompare, Withdrawn, Write,
};

use crate::domain::grant::Grant;
use crate::domain::human::Process;
use crate::domain::request::Request;
use crate::record::Entry;

/// What `quick_check` found, on one line and without its heading of stars.
fn one_line(found: &str) -> String {
    let lines = found.lines().filter(|line| !line.starts_with("***"));
    crate::record::harmless(&lines.collect::<Vec<_>>().join(", ")).into_owned()
}

type Query = Box<dyn FnOnce(&Connection) + Send>;
/// Who tells the log of the chain.
type OfChain = Box<dyn Fn(&Entry) + Send>;
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

enum Job {
    Note(Box<Write>),
    Change(Vec<Write>, Reply),
    Query(Query),
    OfChain(OfChain),
    Keep(Option<Retention>),
    Stop(mpsc::Sender<()>),
}

/// A handle on the state; cheap to clone.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    later: Arc<Mutex<Vec<Write>>>,
    lost: Arc<AtomicU64>,
    boot_id: Arc<str>,
}

impl Store {
    /// Opens the state, makes it if there is none, checks it whole and migrates it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be opened, is damaged, or was written by a later version.
    pub fn open(path: &Path, boot_id: &str) -> Result<(Self, Loaded), StoreError> {
        let mut connection = connect(path)?;
        schema::migrate(&mut connection).map_err(|error| match error {
            Ok(version) => StoreError::TooNew { path: path.to_owned(), version },
            Err(error) => StoreError::Sqlite(error),
        })?;
        let (signed, serial) = document_rows::policy(&connection)?;
        let loaded = Loaded {
            signed,
            serial,
            grants: rows::grants(&connection, "state <> 'ended'", &[])?,
            requests: request_rows::requests(&connection, "state = 'pending'", &[])?,
            memberships: drift_rows::memberships(&connection, boot_id)?,
            withdrawn: drift_rows::withdrawn(&connection)?,
            ruled: drift_rows::ruled(&connection)?,
            local_accounts: drift_rows::local_accounts(&connection)?,
            sessions: rows::sessions(&connection, boot_id)?,
            evictions: eviction_rows::evictions(&connection, boot_id)?,
            carriers: eviction_rows::all_carriers(&connection, boot_id)?,
            policy: rows::policy_in_force(&connection)?,
            high_water: rows::high_water(&connection)?,
        };
        let (jobs, queue) = mpsc::channel();
        let lost = Arc::new(AtomicU64::new(0));
        writer::spawn((path, connection), queue, Arc::clone(&lost), boot_id.to_owned())?;
        let store = Self { jobs, later: Arc::default(), lost, boot_id: boot_id.into() };
        store.note(Write::OldSessionsForgotten);
        Ok((store, loaded))
    }

    /// Commits these changes together; they are on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; then none of them is there.
    pub async fn change(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        let reply: Reply = Box::new(move |result| drop(tell.send(result)));
        self.send(Some(Job::Change(writes, reply)))?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    /// The same, for the thread that changes files and must not go on before it is durable.
    ///
    /// # Errors
    /// As [`Store::change`].
    pub fn change_blocking(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let (tell, told) = mpsc::channel();
        let reply: Reply = Box::new(move |result| drop(tell.send(result)));
        self.send(Some(Job::Change(writes, reply)))?;
        told.recv().map_err(|_| StoreError::Closed)?
    }

    /// Writes this with the next batch. What cannot be written in the end is counted.
    pub fn note(&self, write: Write) {
        if self.send(Some(Job::Note(Box::new(write)))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same, but the thread that writes is not woken yet: it gets this before whatever comes
    /// next, or with [`Store::hand_over`], which the caller sees to within a few milliseconds.
    /// An answer that somebody waits for goes before the waking.
    pub fn note_later(&self, write: Write) {
        self.later.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    /// Hands over what was noted for later.
    pub fn hand_over(&self) {
        // A state that is closed has counted what it lost.
        self.send(None).ok();
    }

    /// Sends a job, behind all that was noted for later: the order of events is kept.
    fn send(&self, job: Option<Job>) -> Result<(), StoreError> {
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        for write in later.drain(..) {
            if self.jobs.send(Job::Note(Box::new(write))).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        job.map_or(Ok(()), |job| self.jobs.send(job).map_err(|_| StoreError::Closed))
    }

    /// Events that could not be written since the start.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Grants that have ended, of this user and role where given.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn ended(
        &self,
        user: Option<UserName>,
        role: Option<RoleName>,
    ) -> Result<Vec<StoredGrant>, StoreError> {
        self.query(move |connection| rows::listed(connection, user.as_ref(), role.as_ref())).await
    }

    /// The entries of `[[grants]]` that were held and are over, by the clock or by somebody's word
    /// ([`Grant::policy_key`]): a clock that is set back, or a reload, does not bring them again.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn spent_policy_keys(&self) -> Result<BTreeSet<String>, StoreError> {
        self.query(rows::spent_policy_keys).await
    }

    /// The requests that are over, and whose id begins like this: at most two.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn ended_requests(&self, prefix: &RequestId) -> Result<Vec<Request>, StoreError> {
        let prefix = prefix.clone();
        self.query(move |connection| request_rows::ended_like(connection, &prefix)).await
    }

    /// Every request that was made since then, pending ones too.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn requests_since(&self, since: Timestamp) -> Result<Vec<Request>, StoreError> {
        self.query(move |connection| {
            request_rows::requests(connection, "created_at >= ?1", &[&since.micros()])
        })
        .await
    }

    /// The requests that ended since then, the latest first, as many as that at the most.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn requests_ended_since(
        &self,
        since: Timestamp,
        most: usize,
    ) -> Result<Vec<Request>, StoreError> {
        self.query(move |connection| request_rows::ended_since(connection, since, most)).await
    }

    /// What this uid has held of this role and that ended since then, and the use of it as a
    /// break-glass role that nobody has reviewed.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn history(
        &self,
        uid: Uid,
        role: RoleName,
        since: Timestamp,
    ) -> Result<(Vec<Grant>, Option<GrantId>), StoreError> {
        self.query(move |connection| request_rows::history(connection, uid, &role, since)).await
    }

    /// The uses of break-glass roles that are over and that nobody has reviewed, whose id begins
    /// like this; all of them, if nothing is said.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn unreviewed(&self, prefix: Option<GrantId>) -> Result<Vec<Grant>, StoreError> {
        self.query(move |connection| request_rows::unreviewed(connection, prefix.as_ref())).await
    }

    /// Who had this group, in this boot, before stint gave it to this user.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn carriers(
        &self,
        user: UserName,
        group: GroupName,
    ) -> Result<Vec<Process>, StoreError> {
        let boot_id = self.boot_id.clone();
        self.query(move |connection| eviction_rows::carriers(connection, &boot_id, &user, &group))
            .await
    }

    /// Whether a grant runs of which it is not known how the host was when it began.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn any_unseen(&self) -> Result<bool, StoreError> {
        self.query(residue_rows::any_unseen).await
    }

    /// Grants that are over, with all that ran under them, and of which it was not looked at yet
    /// what they left; some of them, if they are very many. Those in `stubborn` do not wait for
    /// what still runs.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn to_compare(&self, stubborn: BTreeSet<String>) -> Result<ToCompare, StoreError> {
        self.query(move |connection| residue_rows::ended(connection, &stubborn)).await
    }

    /// What grants left, of this user and role where given.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn residues(
        &self,
        user: Option<UserName>,
        role: Option<RoleName>,
    ) -> Result<HashMap<GrantId, Residue>, StoreError> {
        self.query(move |connection| {
            residue_rows::residues(connection, user.as_ref(), role.as_ref())
        })
        .await
    }

    /// Since when each standing privilege is known, by its key.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn standing_since(&self) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        self.query(standing_rows::since).await
    }

    /// Has checkpoints of the record's chain told from now on: one at once, then one each thousand
    /// links, or when a link is written an hour after the one before, and the last at
    /// [`Store::close`]. None is told twice. It is told by the thread that writes, which it must
    /// not hold up.
    pub fn tell_of_chain(&self, tell: impl Fn(&Entry) + Send + 'static) {
        // A state that is closed has no more of them.
        self.send(Some(Job::OfChain(Box::new(tell)))).ok();
    }

    /// Has links cut off that are older than this, from now on; none if nothing is said.
    pub fn keep(&self, keep: Option<Retention>) {
        // A state that is closed cuts nothing.
        self.send(Some(Job::Keep(keep))).ok();
    }

    /// Links of the record after `after`, none older than `since`, and the end of the chain.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn links(&self, after: i64, since: Timestamp) -> Result<RecordPage, StoreError> {
        self.query(move |connection| chain_rows::page(connection, after, since)).await
    }

    /// The next grants after one, by their beginning, that had not ended then; some of them.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn grants_since(
        &self,
        since: Timestamp,
        (after, id): (Timestamp, String),
    ) -> Result<GrantsRead, StoreError> {
        self.query(move |connection| review_rows::grants_since(connection, since, (after, &id)))
            .await
    }

    /// The grants, running or ended, whose id begins like this: at most two.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn grants_like(&self, id: &GrantId) -> Result<Vec<Grant>, StoreError> {
        let id = id.clone();
        self.query(move |connection| review_rows::grants_like(connection, &id)).await
    }

    /// The last words of reviewers on who is eligible, by who and role.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn attested_eligibility(
        &self,
    ) -> Result<BTreeMap<(String, RoleName), Attestation>, StoreError> {
        self.query(review_rows::of_eligibility).await
    }

    /// Which boot this is.
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Whether this id was ever given, to a grant or to a request.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn id_taken(&self, id: &GrantId) -> Result<bool, StoreError> {
        let id = id.to_string();
        self.query(move |connection| rows::id_taken(connection, &id)).await
    }

    async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let query: Query = Box::new(move |connection| drop(tell.send(read(connection))));
        self.send(Some(Job::Query(query)))?;
        Ok(told.await.map_err(|_| StoreError::Closed)??)
    }

    /// Writes what waits and closes the file.
    pub fn close(&self) {
        let (tell, told) = mpsc::channel();
        if self.send(Some(Job::Stop(tell))).is_ok() {
            // An error says that the thread has ended, which is what is waited for.
            told.recv().ok();
        }
    }
}

/// Whether others may read the state while it is open, and who may write it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Locking {
    /// They may: a backup is made of a running daemon's state.
    Shared,
    /// They may not, and no file of shared memory is needed.
    Alone,
    /// Nobody writes it, and no other file is needed: it is whole where its log is not there.
    Still,
}

/// Opens the file, checks it and makes it ready.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let of_the_disk = |opened: &Result<Connection, StoreError>| matches!(opened, Err(StoreError::Sqlite(error)) if is_of_the_disk(error));
    let mut opened = open(path, Locking::Shared);
    // A full disk has no room for the file of shared memory either, and at last none for a log.
    if of_the_disk(&opened) {
        opened = open(path, Locking::Alone);
    }
    if of_the_disk(&opened) && path.exists() && !log_of(path).exists() {
        return open(path, Locking::Still);
    }
    let connection = opened?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cache_size", -1_024)?;
    Ok(connection)
}

fn open(path: &Path, locking: Locking) -> Result<Connection, StoreError> {
    let connection = match locking {
        Locking::Shared | Locking::Alone => Connection::open(path)?,
        Locking::Still => {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("file:{}?immutable=1", path.display()), flags)?
        }
    };
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    if locking == Locking::Alone {
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    }
    schema::check(&connection).map_err(|fault| match fault {
        Ok(found) => StoreError::Damaged { path: path.to_owned(), found: one_line(&found) },
        Err(error) => StoreError::Sqlite(error),
    })?;
    Ok(connection)
}

/// Where SQLite writes first.
fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DiskFull, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(CannotOpen | DiskFull | SystemIoFailure))
}

#[cfg(test)]
mod tests;
