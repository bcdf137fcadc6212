//! The queue's way to the hooks: who is due, who waits and for how long, and what is given up.
//! Sleeps until the next of these; wakes for nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use stint_proto::{Alarm, Event, Timestamp};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::folder::{Folder, Found, Hook};
use super::{Failure, Hooks, Job, Start};
use crate::clock::{Moment, SharedClock};
use crate::record::{Entry, Record, counted, harmless};
use crate::store::{HookWrite, Outbox, OutboxRow, Store, StoreError, Write};

/// How many hooks run at once.
const AT_ONCE: usize = 4;
/// The most events that wait; beyond it the oldest are given up, some at a time.
const QUEUE_LIMIT: u64 = 10_000;
/// How many stay then.
const QUEUE_KEPT: u64 = 9_000;
/// The first pause before a hook is tried again, in microseconds.
const FIRST_PAUSE: i64 = 1_000_000;
/// The longest.
const LONGEST_PAUSE: i64 = 900_000_000;
/// How long an event is worth telling to a hook that fails.
const WORTH: i64 = 24 * 3_600 * 1_000_000;
/// The pause after a state that could not be read or written.
const STATE_PAUSE: i64 = 60_000_000;

/// What is known of a hook beside the state.
#[derive(Debug, Default)]
struct Progress {
    /// How far it has been told; may be ahead of the state when that could not be written.
    done: i64,
    running: bool,
    /// Which start its last one was, so that those who waited longest go first.
    turn: u64,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    why: String,
    since: Timestamp,
    tries: u32,
    pause: i64,
    /// When it is tried again, on the boot clock.
    again: i64,
    /// Whether it waits for the bus or systemd and not for the hook.
    not_there: bool,
}

type Ended = (Job, Result<(), Failure>);

pub(super) struct Queue<S> {
    hooks: Hooks,
    store: Store,
    clock: SharedClock,
    record: Record,
    folder: Folder,
    start: S,
    progress: BTreeMap<String, Progress>,
    running: JoinSet<Ended>,
    turns: u64,
    skipped: BTreeMap<String, Timestamp>,
    /// Since when events wait for a bus.
    away: Option<Timestamp>,
}

impl<S> Queue<S> {
    pub(super) fn new(
        hooks: Hooks,
        store: Store,
        clock: SharedClock,
        record: Record,
        folder: Folder,
        start: S,
    ) -> Self {
        let (progress, skipped, away) = (BTreeMap::new(), BTreeMap::new(), None);
        let running = JoinSet::new();
        let turns = 0;
        Self { hooks, store, clock, record, folder, start, progress, running, turns, skipped, away }
    }

    pub(super) async fn run<Bus: Clone + Send + Sync + 'static>(
        mut self,
        mut bus: watch::Receiver<Option<Bus>>,
    ) -> Infallible
    where
        S: Start<Bus>,
    {
        let mut lasting = true;
        loop {
            let connection = bus.borrow_and_update().clone();
            let now = self.clock.now();
            let again = match self.turn(connection, now).await {
                Ok(again) => again,
                Err(error) => {
                    let text = format!("hooks are not told of events: {error}");
                    self.hooks.set_alarms(vec![Alarm { text, since: now.wall, tries: 1 }]);
                    Some(now.boot.saturating_add(STATE_PAUSE))
                }
            };
            tokio::select! {
                () = self.hooks.0.wake.notified() => {}
                Some(ended) = self.running.join_next() => self.ended(ended).await,
                changed = bus.changed(), if lasting => {
                    lasting = changed.is_ok();
                    self.try_now();
                }
                () = until(again, self.clock.now()) => {}
            }
        }
    }

    /// Brings the queue in line with the folder, and starts who is due. Returns when somebody is
    /// due again, on the boot clock.
    async fn turn<Bus: Clone + Send + Sync + 'static>(
        &mut self,
        bus: Option<Bus>,
        now: Moment,
    ) -> Result<Option<i64>, StoreError>
    where
        S: Start<Bus>,
    {
        let found = self.folder.look();
        let outbox = self.store.outbox().await?;
        self.know(&found.hooks, &outbox).await?;
        let cut = self.cut(&outbox).await?;
        self.drop_told(&outbox, cut).await?;
        let again = match &bus {
            Some(bus) => self.start_due(&found.hooks, bus, now).await?,
            None => None,
        };
        let waiting = self.progress.values().any(|known| known.done < outbox.last);
        self.say(found, waiting && bus.is_none(), now);
        Ok(again)
    }

    /// Takes note of hooks that are new or gone.
    async fn know(&mut self, hooks: &[Hook], outbox: &Outbox) -> Result<(), StoreError> {
        let mut writes = Vec::new();
        for gone in outbox.done.keys().filter(|name| !hooks.iter().any(|h| h.name == **name)) {
            writes.push(Write::Hooks(HookWrite::Gone(gone.clone())));
        }
        self.progress.retain(|name, _| hooks.iter().any(|hook| hook.name == *name));
        for hook in hooks {
            let stored = outbox.done.get(&hook.name).copied();
            let done = match stored {
                Some(done) => done,
                None => self.store.outbox_before(hook.since).await?,
            };
            let known = self.progress.entry(hook.name.clone()).or_default();
            known.done = known.done.max(done);
            if stored != Some(known.done) {
                writes.push(done_to(&hook.name, known.done));
            }
        }
        if writes.is_empty() { Ok(()) } else { self.store.change(writes).await }
    }

    /// Gives up the oldest events of a queue that is too long, and says to whom they were not told.
    /// Returns up to where.
    async fn cut(&mut self, outbox: &Outbox) -> Result<i64, StoreError> {
        if outbox.count <= QUEUE_LIMIT {
            return Ok(0);
        }
        let to = self.store.outbox_nth(outbox.count.saturating_sub(QUEUE_KEPT + 1)).await?;
        for (name, known) in &mut self.progress {
            let lost = self.store.outbox_between(known.done, to).await?;
            if lost > 0 {
                let lost = counted(usize::try_from(lost).unwrap_or(usize::MAX), "event");
                let text = format!("hook {name} is never told of {lost}: too many waited for it");
                self.record.note(Entry::new(self.clock.now().wall, Event::AuditGap, text));
                known.done = to;
            }
        }
        Ok(to)
    }

    /// Takes events out of the queue that every hook has been told.
    async fn drop_told(&self, outbox: &Outbox, cut: i64) -> Result<(), StoreError> {
        let told = self.progress.values().map(|known| known.done).min().unwrap_or(outbox.last);
        let to = told.max(cut);
        if outbox.count == 0 || to < outbox.first {
            return Ok(());
        }
        let mut writes: Vec<Write> =
            self.progress.iter().map(|(name, known)| done_to(name, known.done)).collect();
        writes.push(Write::Hooks(HookWrite::Dropped { to }));
        self.store.change(writes).await
    }

    async fn start_due<Bus: Clone + Send + Sync + 'static>(
        &mut self,
        hooks: &[Hook],
        bus: &Bus,
        now: Moment,
    ) -> Result<Option<i64>, StoreError>
    where
        S: Start<Bus>,
    {
        let mut again = None;
        let mut due = Vec::new();
        for hook in hooks {
            let Some(known) = self.progress.get(&hook.name).filter(|known| !known.running) else {
                continue;
            };
            let (done, turn) = (known.done, known.turn);
            let at = known.trouble.as_ref().map(|trouble| trouble.again);
            let Some(event) = self.store.outbox_after(done).await? else { continue };
            match at.filter(|at| *at > now.boot) {
                Some(at) => again = Some(again.map_or(at, |before: i64| before.min(at))),
                None => due.push((turn, hook, event)),
            }
        }
        due.sort_by_key(|(turn, ..)| *turn);
        for (_, hook, event) in due {
            if self.running.len() >= AT_ONCE {
                // Whoever ends wakes the queue.
                break;
            }
            self.turns = self.turns.saturating_add(1);
            let Some(known) = self.progress.get_mut(&hook.name) else { continue };
            (known.running, known.turn) = (true, self.turns);
            let job = Job { hook: hook.name.clone(), path: hook.path.clone(), event };
            let run = self.start.start(bus.clone(), job.clone());
            self.running.spawn(async move { (job, run.await) });
        }
        Ok(again)
    }

    async fn ended(&mut self, ended: Result<Ended, JoinError>) {
        // A run that panicked says not whose it was: nobody runs any more as far as is known.
        let Ok((job, result)) = ended else {
            self.progress.values_mut().for_each(|known| known.running = false);
            return;
        };
        let now = self.clock.now();
        let Some(known) = self.progress.get_mut(&job.hook) else { return };
        known.running = false;
        match result {
            Ok(()) => (known.trouble, known.done) = (None, known.done.max(job.event.seq)),
            Err(Failure::Failed(why)) if now.wall.micros_since(job.event.at) >= WORTH => {
                (known.trouble, known.done) = (None, known.done.max(job.event.seq));
                let text = given_up(&job.hook, &job.event, &why);
                self.record.note(Entry::new(now.wall, Event::AuditGap, text));
            }
            Err(Failure::Failed(why)) => known.later(why, false, now),
            Err(Failure::NotThere(why)) => known.later(why, true, now),
        }
        if known.trouble.is_none() {
            let write = done_to(&job.hook, known.done);
            // What cannot be written now is written with the next turn.
            drop(self.store.change(vec![write]).await);
        }
    }

    /// Whoever waits for the bus is due.
    fn try_now(&mut self) {
        for known in self.progress.values_mut() {
            known.trouble.take_if(|trouble| trouble.not_there);
        }
    }

    /// Says what is wrong now, and tells the log of files that are passed over from now on.
    fn say(&mut self, found: Found, no_bus: bool, now: Moment) {
        let before = std::mem::take(&mut self.skipped);
        let mut alarms = Vec::new();
        for why in found.skipped {
            let since = before.get(&why).copied().unwrap_or_else(|| {
                eprintln!("stintd: a hook is not run: {why}");
                now.wall
            });
            let text = format!("a hook is not run: {why}");
            alarms.push(Alarm { text, since, tries: 1 });
            self.skipped.insert(why, since);
        }
        self.away = no_bus.then(|| self.away.unwrap_or(now.wall));
        if let Some(since) = self.away {
            let text = "events wait for the hooks: the system bus is away".to_owned();
            alarms.push(Alarm { text, since, tries: 1 });
        }
        for (name, known) in &self.progress {
            if let Some(trouble) = &known.trouble {
                let text = format!("hook {name} fails, and its events wait: {}", trouble.why);
                alarms.push(Alarm { text, since: trouble.since, tries: trouble.tries });
            }
        }
        self.hooks.set_alarms(alarms);
    }
}

impl Progress {
    /// Tries it again after a pause that grows from failure to failure.
    fn later(&mut self, why: String, not_there: bool, now: Moment) {
        let before = self.trouble.take();
        let (since, tries, pause) =
            before.map_or((now.wall, 0, 0), |before| (before.since, before.tries, before.pause));
        let pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        let again = now.boot.saturating_add(pause);
        let tries = tries.saturating_add(1);
        self.trouble = Some(Trouble { why, since, tries, pause, again, not_there });
    }
}

fn done_to(hook: &str, seq: i64) -> Write {
    Write::Hooks(HookWrite::Done { hook: hook.to_owned(), seq })
}

fn given_up(hook: &str, event: &OutboxRow, why: &str) -> String {
    let (what, at) = (&event.event, event.at);
    harmless(&format!("hook {hook} is never told of {what} of {at}: it failed for a day ({why})"))
        .into_owned()
}

async fn until(again: Option<i64>, now: Moment) {
    match again {
        Some(at) => {
            let left = at.saturating_sub(now.boot).max(0).unsigned_abs();
            tokio::time::sleep(Duration::from_micros(left)).await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
