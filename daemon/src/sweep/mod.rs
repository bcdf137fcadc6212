//! `stintd --sweep`: takes back what is over where no stintd does, by the list alone. Neither the
//! database nor the policy is read, nobody is asked who may what, and nothing is ever given. What it
//! cannot do now it says, and is tried again with its next run.

mod rest;
mod take;

use std::io;
use std::time::Duration;

use nix::fcntl::Flock;
use stint_proto::{EndReason, Event, GrantId, Timestamp};

use crate::applied::{Applied, Ended, FILE, Held, List, Owed, key_of};
use crate::clock::{SharedClock, boot_id};
use crate::domain::deadline::Mark;
use crate::engine::{Places, StartError, hold};
use crate::record::{Entry, Journal, KernelAudit};
use crate::store::{Eviction, EvictionOf};

/// Who did it, in the record.
const ACTOR: &str = "stint-sweep";
/// How often, and with what pauses, a full log is tried at the end.
const LOG_TRIES: usize = 40;
const LOG_PAUSE: Duration = Duration::from_millis(50);

/// What is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent<'a> {
    /// What is over.
    Over,
    /// All of it, for this reason.
    Everything(&'a str),
}

/// What became of it.
#[derive(Debug, Default)]
pub struct Swept {
    /// How many grants had what they gave taken back.
    pub grants: usize,
    /// What could not be done, one line each.
    pub failures: Vec<String>,
}

/// One run.
struct Sweep<'a> {
    places: &'a Places,
    clock: SharedClock,
    extent: Extent<'a>,
    journal: Journal,
    /// From when something is written there.
    audit: Option<KernelAudit>,
    swept: Swept,
}

/// Takes back what is over, or everything, by the list. Does nothing while a stintd runs: then it is
/// that one's to do.
pub async fn sweep(places: &Places, clock: SharedClock, extent: Extent<'_>) -> Swept {
    let journal = Journal::new(places.journal.clone(), places.syslog.clone());
    let mut sweep = Sweep { places, clock, extent, journal, audit: None, swept: Swept::default() };
    sweep.run().await;
    sweep.close().await
}

impl Sweep<'_> {
    async fn run(&mut self) {
        // A cheap look: mostly there is none, or a stintd that sees to it.
        if self.places.state_dir.join(FILE).try_exists().is_ok_and(|exists| !exists) {
            return;
        }
        let Some(lock) = self.lock() else { return };
        let boot_id = match boot_id() {
            Ok(boot_id) => boot_id,
            Err(error) => {
                self.fail(format!("the kernel does not say which boot this is: {error}"));
                return;
            }
        };
        let (mut list, problems) = List::open(&self.places.state_dir);
        self.swept.failures.extend(problems);
        let here = Mark { boot_id, at: self.clock.now() };
        let mut applied = list.said().clone();
        applied.carry_into(here.clone());
        let over = self.over(&applied, &here);
        for (id, held) in &over {
            applied.grants.remove(id);
            let eviction = sessions_of(id, held);
            let owed = Owed { eviction, carried: Vec::new() };
            applied.owed.insert(key_of(&owed.eviction), owed);
        }
        let is_whole = self.take_back(&mut applied, &over).await;
        if !is_whole {
            // Its rules are still there, so that it stays listed.
            applied.grants.extend(over.iter().cloned());
        }
        self.tell(&over);
        self.write(&mut list, applied.clone());
        // What is left is safe beside a stintd, which would do the same, and may take a while.
        drop(lock);
        let done = self.end_the_rest(&applied).await;
        self.strike_out(&done);
    }

    /// The lock that says that no stintd runs; `None` where one does, or nobody can know.
    fn lock(&mut self) -> Option<Flock<std::fs::File>> {
        match hold(&self.places.state_dir) {
            Ok(lock) => Some(lock),
            Err(StartError::Running { .. }) if self.extent == Extent::Over => None,
            Err(error) => {
                self.fail(error.to_string());
                None
            }
        }
    }

    /// The grants that are over by either clock, or by somebody's word.
    fn over(&mut self, applied: &Applied, here: &Mark) -> Vec<(GrantId, Held)> {
        let noted: Vec<(GrantId, EndReason)> = match Ended::at(&self.places.run_dir).read() {
            Ok(noted) => noted,
            Err(error) => {
                let folder = self.places.run_dir.display();
                self.fail(format!("{folder}: ends that were noted there: {error}"));
                Vec::new()
            }
        };
        let everything = matches!(self.extent, Extent::Everything(_));
        let past = applied.past();
        let is_over = |id: &GrantId, held: &Held| {
            everything || held.until.is_over(here, &past) || noted.iter().any(|(of, _)| of == id)
        };
        let grants = applied.grants.iter().filter(|(id, held)| is_over(id, held));
        grants.map(|(id, held)| (id.clone(), held.clone())).collect()
    }

    fn tell(&mut self, over: &[(GrantId, Held)]) {
        let why = match self.extent {
            Extent::Over => "is over, and stintd does not run: stint-sweep takes back what it gave",
            Extent::Everything(_) => {
                "ends, and stintd cannot be started: what it gave is taken back"
            }
        };
        for (id, Held { user, uid, role, .. }) in over {
            let mut entry =
                self.entry(Event::GrantSwept, format!("{role} for {user} ({id}) {why}"));
            entry = entry.about(user, *uid);
            entry.role = Some(role.clone());
            entry.grant = Some(id.clone());
            if let Extent::Everything(reason) = self.extent {
                entry.reason = Some(reason.to_owned());
            }
            self.journal.write(&entry);
        }
        self.swept.grants = over.len();
    }

    fn write(&mut self, list: &mut List, applied: Applied) {
        if let Err(error) = list.renew(applied) {
            self.fail(error.to_string());
        }
    }

    /// Strikes out what was ended, unless a stintd runs by now and does so itself.
    fn strike_out(&mut self, done: &[Eviction]) {
        if done.is_empty() {
            return;
        }
        let Some(lock) = self.lock() else { return };
        let (mut list, _) = List::open(&self.places.state_dir);
        let mut applied = list.said().clone();
        for eviction in done {
            applied.owed.remove(&key_of(eviction));
        }
        self.write(&mut list, applied);
        drop(lock);
    }

    fn entry(&self, event: Event, text: String) -> Entry {
        let mut entry = Entry::new(self.now(), event, text);
        entry.actor = Some(ACTOR.to_owned());
        entry
    }

    fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    fn fail(&mut self, what: String) {
        self.swept.failures.push(what);
    }

    /// Tells the log, and the kernel's audit, of a membership.
    fn tell_of_member(&mut self, entry: &Entry) {
        self.journal.write(entry);
        if self.places.kernel_audit {
            self.audit.get_or_insert_with(KernelAudit::of_host).write(entry);
        }
    }

    /// Hands over what waits for the log.
    async fn close(mut self) -> Swept {
        if let Some(audit) = &self.audit {
            audit.close();
        }
        for _ in 0..LOG_TRIES {
            self.journal.flush();
            if !self.journal.is_behind() {
                break;
            }
            tokio::time::sleep(LOG_PAUSE).await;
        }
        if self.journal.is_behind() {
            self.fail("the system's log is full, and has not got every event".to_owned());
        }
        self.swept
    }
}

fn sessions_of(id: &GrantId, held: &Held) -> Eviction {
    let Held { user, uid, role, manner, .. } = held.clone();
    let of = EvictionOf::Sessions { grant: id.clone(), role, uid };
    Eviction { of, user, leave: manner.leave, grace: manner.grace }
}

/// For work that waits for locks, off the one thread of the runtime.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, io::Error> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
