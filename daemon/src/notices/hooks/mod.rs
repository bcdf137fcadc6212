//! Hooks: the programs in /etc/stint/hooks.d, each told of every event, in order, one at a time.
//!
//! The queue is in the state, so an event outlives a crash, and a hook may be told of one twice but
//! never of none. A hook that fails is tried again and holds up nobody but itself. Who is told what
//! is decided by whoever puts events into the queue.

mod folder;
mod queue;
mod unit;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use stint_proto::Alarm;
use tokio::sync::{Notify, watch};
use zbus::Connection;

use crate::clock::SharedClock;
use crate::record::Record;
use crate::store::{OutboxRow, Store};

/// A handle on the hooks; cheap to clone.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    wake: Notify,
    alarms: Mutex<Vec<Alarm>>,
}

impl Hooks {
    /// Says that the queue has a new event. Never waits.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// What stands between hooks and their events now: files that are not run, hooks that fail, a
    /// bus that is away. For `status` and `doctor`, beside the daemon's other alarms.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.0.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_alarms(&self, alarms: Vec<Alarm>) {
        *self.0.alarms.lock().unwrap_or_else(PoisonError::into_inner) = alarms;
    }
}

/// Tells the hooks of what is in the queue, for as long as the daemon runs. `bus` has the present
/// connection to the system bus, by which systemd is asked to run them; without one, events wait.
pub async fn run(
    hooks: Hooks,
    store: Store,
    clock: SharedClock,
    record: Record,
    bus: watch::Receiver<Option<Connection>>,
) -> Infallible {
    let folder = folder::Folder::of_host();
    queue::Queue::new(hooks, store, clock, record, folder, unit::Units).run(bus).await
}

/// One run of one hook.
#[derive(Clone, Debug)]
struct Job {
    hook: String,
    path: PathBuf,
    event: OutboxRow,
}

/// Why a hook was not told.
#[derive(Clone, Debug)]
enum Failure {
    /// It could not be run at all, which is not its fault: the event waits for as long as it takes.
    NotThere(String),
    /// It failed, or took too long.
    Failed(String),
}

/// What runs a hook, on this kind of connection.
trait Start<Bus>: Copy + Send + 'static {
    fn start(
        self,
        bus: Bus,
        job: Job,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static;
}
