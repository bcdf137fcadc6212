//! What the daemon does: each use case takes values from the doors in `dbus/`, asks the rules,
//! makes it durable, enforces it, records it.
//!
//! Two locks and their order: `changes` is held over a whole change, awaits included, so that
//! changes come one after the other; `state` is held for a moment and never over an await. A check
//! takes `state` alone, so no slow change stands before it.

mod alarms;
mod check;
mod decide;
mod desired;
mod door;
mod drift;
mod elevated;
mod end;
mod enforcement;
mod entrances;
mod evictions;
mod facts;
mod failure;
mod follow;
mod forget;
mod fulfil;
mod give;
mod ground;
mod hold;
mod holder;
mod holders;
mod listing;
mod lookups;
mod mechanisms;
mod metrics;
mod news;
mod outside;
mod person;
mod policy;
mod publication;
mod remote;
mod requests;
mod residue;
mod review;
mod run;
mod sessions;
mod settling;
mod show;
mod signing;
mod standing;
mod standing_ways;
mod start;
mod timer;
mod warnings;
mod withdrawn;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub use check::Peer;
pub use entrances::Ahead;
pub(crate) use evictions::carried_without_right;
pub use lookups::Lookups;
use nix::fcntl::Flock;
pub use person::BusCaller;
pub use sessions::{Opened, Then};
pub use start::{Places, StartError, hold};
use stint_policy::Policy;
use stint_proto::{ErrorCode, Event, Grant as Shown, GrantId, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use zbus::Connection;

use crate::applied::Ended;
use crate::clock::{Moment, SharedClock};
use crate::domain::entrances::Entrances;
use crate::domain::grant::Grant;
use crate::domain::human::Process;
use crate::domain::index::Index;
use crate::domain::passed::Passed;
use crate::domain::pending::Pending;
use crate::enforce::change::Membership as Pair;
use crate::enforce::polkit_rule::PolkitRules;
use crate::notices::{Hooks, Notices, Waiting};
use crate::record::{Entry, Record};
use crate::sessions::Tree;
use crate::store::{Eviction, Membership, Session, Store};
pub use mechanisms::Mechanisms;

/// Why something was not done. One message: what was wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its kind.
    pub code: ErrorCode,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// A refusal of this kind.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An id that names more than one of these things.
    fn several(things: &str, id: &impl fmt::Display, count: usize) -> Self {
        let text = format!("{count} {things} have ids that begin with {id}; type one more letter");
        Self::new(ErrorCode::NoSuchId, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(ErrorCode::Failed, error.to_string())
    }
}

/// Everything that changes while the daemon runs.
struct State {
    policy: Arc<Policy>,
    index: Index,
    pending: Pending,
    owned: BTreeSet<Membership>,
    sessions: HashMap<String, Session>,
    passed: Passed,
    entrances: Entrances,
    alarms: alarms::Alarms,
    policy_problem: Option<String>,
    /// What is known of signed documents.
    remote: remote::Remote,
    /// The latest wall clock known at the start, and the boot clock then: for people, no deadline
    /// rests on it.
    high_water: Moment,
    /// Who had a group before stint gave it, of the memberships of this boot.
    carried: BTreeMap<Pair, Vec<Process>>,
    /// What is still to be ended.
    owed: BTreeMap<String, Eviction>,
    listing: listing::Listing,
    backend: String,
    unsaved: Vec<crate::store::Write>,
    /// Why scheduled grants whose time has come have not begun yet; tried again.
    unbegun: Option<String>,
    /// What the policy holds and could not be given yet, and why; tried again.
    unheld: Option<String>,
    /// Whether the time has come to try that.
    hold_again: bool,
    /// What should have ended with its grant and has not yet, and why; tried again.
    unended: BTreeMap<String, String>,
    /// Why polkit has not forgotten yet what it knew by rules that are gone; tried again.
    unforgotten: Option<String>,
    /// Which sessions were told that their end is near.
    warned: BTreeMap<GrantId, warnings::Warned>,
    /// What is known of changes by hand.
    drift: drift::Drift,
}

/// The daemon's heart. Shared by the doors, the timer and the signals.
pub struct Engine {
    clock: SharedClock,
    host: String,
    boot_id: String,
    places: Places,
    ended: Ended,
    store: Store,
    record: Record,
    /// For the gate and for root.
    lookups: Lookups,
    /// For what everybody may ask, so that a crowd of them holds up neither.
    public_lookups: Lookups,
    /// For evictions, so that a crowd of them holds up no gate.
    evicting: Lookups,
    mechanisms: Arc<Mutex<Mechanisms>>,
    notices: Notices,
    /// What waits for terminals, until somebody serves it.
    told: Mutex<Option<Waiting>>,
    hooks: Hooks,
    /// The kernel's tree of control groups, where the host has one that stint can use.
    tree: Option<Tree>,
    /// The present connection to the system bus, from when it is served on.
    bus: OnceLock<watch::Receiver<Option<Connection>>>,
    residue: residue::Watched,
    standing: standing::Looked,
    evictions: mpsc::UnboundedSender<evictions::Owed>,
    /// What waits to be evicted, until somebody serves it.
    owed: Mutex<Option<mpsc::UnboundedReceiver<evictions::Owed>>>,
    polkit: Arc<PolkitRules>,
    /// The rules have been seen to: polkit may know something by one that is gone.
    ruled: Arc<Notify>,
    making: settling::Making,
    put_off: Mutex<settling::PutOff>,
    /// What was made for sessions, until somebody sees to it.
    made: Mutex<Option<mpsc::UnboundedReceiver<settling::Made>>>,
    changes: tokio::sync::Mutex<()>,
    /// Held over a whole reload of the policy; taken before `changes`.
    reloads: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    rearm: Notify,
    /// Has what others may have changed looked at.
    look: Notify,
    /// Another number with everything that boards show.
    serial: watch::Sender<u64>,
    /// When this daemon was started.
    started: Moment,
    /// Held for as long as this lives: no second daemon may use the state.
    _lock: Flock<File>,
}

impl Engine {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock cannot leave the state half changed: every change under it is a
        // single assignment or an insertion.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.state().policy)
    }

    /// To be called after every change to grants and requests: what is due next is looked at
    /// anew, and whoever waits looks again.
    fn changed(&self) {
        self.rearm.notify_one();
        self.look.notify_one();
        self.hooks.wake();
        self.serial.send_modify(|serial| *serial = serial.wrapping_add(1));
    }

    /// Lets the engine ask services on the system bus. To be called once.
    pub fn use_bus(&self, bus: watch::Receiver<Option<Connection>>) {
        // A second one would be the same bus.
        drop(self.bus.set(bus));
    }

    fn bus(&self) -> Option<Connection> {
        self.bus.get().and_then(|bus| bus.borrow().clone())
    }

    /// Now, on both clocks.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// This host's name, as the kernel has it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The latest wall clock known at the start, gone on since as the boot clock has, or the wall
    /// clock where that is ahead: how far it was set back.
    fn trusted_wall(&self, now: Moment) -> Timestamp {
        let known = self.state().high_water;
        let gone_on = known.wall.micros().saturating_add(now.boot.saturating_sub(known.boot));
        now.wall.max(Timestamp::from_micros(gone_on))
    }

    fn shown(&self, policy: &Policy, grant: &Grant) -> Shown {
        grant.shown(policy.role_here(&grant.role, &self.host))
    }

    /// An event about a grant.
    fn about(&self, event: Event, grant: &Grant, actor: &str, message: String) -> Entry {
        let mut entry = Entry::new(self.now().wall, event, message).about(&grant.user, grant.uid);
        entry.role = Some(grant.role.clone());
        entry.grant = Some(grant.id.clone());
        entry.request.clone_from(&grant.request);
        entry.actor = Some(actor.to_owned());
        entry.reason = Some(grant.reason.clone());
        entry.ticket.clone_from(&grant.ticket);
        entry
    }

    /// Ends the daemon's work in good order: what waits to be recorded is written.
    pub fn close(&self) {
        self.store.note(crate::store::Write::HighWater(self.now().wall));
        self.list_at_the_end();
        if self.record.catch_up(self.now().wall) > 0 {
            eprintln!("stintd: the log was full at the end; the state holds every event");
        }
        self.store.close();
        self.record.audit().close();
    }
}
