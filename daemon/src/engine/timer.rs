//! The one task that sleeps: until the next start or end on either clock, the next try of what
//! failed, or a change. It sleeps on two timers of the kernel, so nothing wakes it in between.

use std::io;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use stint_proto::{ErrorCode, Event, GrantId};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use super::Engine;
use super::end::Ending;
use super::enforcement::unsaved_text;
use super::failure::{About, Failure};
use crate::clock::Moment;
use crate::domain::deadline::STEP;
use crate::domain::grant::Grant;
use crate::record::Entry;
use crate::store::Write;
use crate::waitable::{Waitable, waitable};

/// How long until a full log is tried again, in microseconds: while it takes something, and at the
/// most.
const LOG_PAUSES: (i64, i64) = (5_000, 500_000);
/// How long an end may wait for its turn behind changes that wait for locks and for the account
/// database, in microseconds.
const OVERDUE: i64 = 600_000_000;
/// The far future for the wall clock's timer: it is always armed, to notice when the clock is set.
const FAR: i64 = 4_000_000_000_000_000;

type Timer = AsyncFd<Waitable<TimerFd>>;

fn timer(clock: ClockId) -> io::Result<Timer> {
    waitable(TimerFd::new(clock, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?)
}

fn arm(timer: &Timer, at: Option<i64>, flags: TimerSetTimeFlags) -> io::Result<()> {
    let timer = &timer.get_ref().0;
    match at {
        // A time of zero would disarm it: what is over already is due at once.
        Some(at) => timer.set(Expiration::OneShot(TimeSpec::microseconds(at.max(1))), flags)?,
        None => timer.unset()?,
    }
    Ok(())
}

/// What waits for room in the log, and how long it is left alone.
#[derive(Default)]
struct LogWaits {
    events: usize,
    pause: i64,
}

impl LogWaits {
    /// When to try again, in microseconds since boot, while this many events wait: soon where the
    /// log has taken some since, else later and later.
    fn next(&mut self, events: usize, now: Moment) -> Option<i64> {
        let (first, longest) = LOG_PAUSES;
        let took_some = events < self.events;
        self.pause = if took_some { first } else { self.pause.saturating_mul(2) };
        self.pause = self.pause.clamp(first, longest);
        self.events = events;
        (events > 0).then(|| now.boot.saturating_add(self.pause))
    }
}

/// Waits until the timer has fired, or its clock was set.
async fn fired(timer: &Timer) -> io::Result<()> {
    let mut ready = timer.readable().await?;
    match timer.get_ref().0.wait() {
        Ok(()) | Err(Errno::ECANCELED | Errno::EAGAIN) => {}
        Err(error) => return Err(error.into()),
    }
    ready.clear_ready();
    Ok(())
}

impl Engine {
    /// Runs for as long as the daemon does.
    ///
    /// # Errors
    /// When the kernel gives no timer; the daemon must not go on without one.
    pub async fn keep_time(self: Arc<Self>) -> io::Result<()> {
        let wall = timer(ClockId::CLOCK_REALTIME)?;
        let boot = timer(ClockId::CLOCK_BOOTTIME)?;
        let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        let noticing = absolute | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let mut before = self.now();
        let mut starts: Option<JoinHandle<()>> = None;
        let mut log_waits = LogWaits::default();
        loop {
            let now = self.now();
            self.notice_step(before, now);
            before = now;
            self.notice_stale(now).await;
            self.turn(now).await;
            self.warn(now);
            // Beside this loop, so that no slow account database holds up an end.
            let idle = starts.as_ref().is_none_or(JoinHandle::is_finished);
            if idle && (self.state().hold_again || !self.starting().is_empty()) {
                let engine = Arc::clone(&self);
                starts = Some(tokio::spawn(async move {
                    engine.start_due().await;
                    if std::mem::take(&mut engine.state().hold_again) {
                        engine.hold_again().await;
                    }
                    engine.rearm.notify_one();
                }));
            }
            let log = log_waits.next(self.record.catch_up(now.wall), now);
            let warning = self.next_warning(now);
            let stale = self.next_stale(now);
            let (next, retry) = {
                let state = self.state();
                let lapse = state.pending.next_due();
                let mut next = state.index.next_due();
                next.wall = next.wall.into_iter().chain(lapse).chain(warning).min();
                (next, state.alarms.retry_at())
            };
            // What should have started by now waits for the next try, not for its time.
            let next_wall = next.wall.filter(|at| *at > now.wall).map_or(FAR, |at| at.micros());
            arm(&wall, Some(next_wall), noticing)?;
            arm(&boot, next.boot.into_iter().chain(retry).chain(log).chain(stale).min(), absolute)?;
            tokio::select! {
                result = fired(&wall) => result?,
                result = fired(&boot) => result?,
                () = self.rearm.notified() => {}
                () = self.record.fell_behind() => {}
            }
        }
    }

    /// Whether something is over for so long that nobody can be at it any more.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        // By the boot clock: one that is set makes nothing late.
        let now = self.now().boot;
        let first = self.state().index.next_due().boot;
        first.is_some_and(|at| at.saturating_add(OVERDUE) <= now)
    }

    /// Ends what is due, and tries again what failed.
    pub(super) async fn turn(&self, now: Moment) {
        let (due, lapsing, retry, relist) = {
            let state = self.state();
            let retry = state.alarms.retry_at().is_some_and(|at| at <= now.boot);
            let relist = state.listing.is_due && state.listing.failed.is_none();
            (state.index.due(now), state.pending.due(now.wall), retry, relist)
        };
        if due.is_empty() && lapsing.is_empty() && !retry && !relist {
            return;
        }
        let changing = self.changes.lock().await;
        if !due.is_empty() {
            self.end(due, &Ending::expired()).await;
        }
        self.lapse(&lapsing, "nobody has approved it in time").await;
        if retry {
            self.store_or_keep(Vec::new()).await;
            self.enforce().await;
            // What should have begun is tried with the next look at what starts.
            let mut state = self.state();
            state.unbegun = None;
            state.hold_again = state.unheld.is_some();
        }
        // Last, and once for all that was done.
        if relist || retry {
            self.relist().await;
        }
        drop(changing);
    }

    /// What should begin now. What could not begin waits for the next try.
    fn starting(&self) -> Vec<GrantId> {
        let now = self.now();
        let state = self.state();
        if state.unbegun.is_some() { Vec::new() } else { state.index.starting(now) }
    }

    /// Begins the scheduled grants whose time has come and whose holders still may. Who they are is
    /// asked for before the turn comes: the account database may be slow.
    pub(super) async fn start_due(&self) {
        let (mut begin, mut end, mut held_up) = (Vec::new(), Vec::new(), None);
        for id in self.starting() {
            let Some(grant) = self.state().index.get(&id).cloned() else { continue };
            match self.may_begin(&grant).await {
                Ok(()) => begin.push(id),
                Err(refusal) if refusal.code == ErrorCode::Failed => {
                    held_up = Some(format!("{id} has not begun: {refusal}"));
                }
                Err(refusal) => end.push((id, refusal.message)),
            }
        }
        if begin.is_empty() && end.is_empty() && held_up.is_none() {
            return;
        }
        if !begin.is_empty() {
            self.look_ahead().await;
        }
        let changing = self.changes.lock().await;
        for (id, why) in end {
            self.end(vec![id], &Ending::policy(&why)).await;
        }
        if self.begin_scheduled(&begin).await
            && let Some(text) = held_up
        {
            self.state().unbegun = Some(text.clone());
            self.alarm(Failure { about: About::Start, text: text.clone() }, &text);
        }
        drop(changing);
    }

    /// Begins scheduled grants whose time has come. The caller holds `changes`. `false` if they
    /// could not be made durable; they are tried again.
    async fn begin_scheduled(&self, ids: &[GrantId]) -> bool {
        let now = self.now();
        let mut writes = Vec::new();
        let mut begun = Vec::new();
        for id in ids {
            let Some(mut grant) = self.state().index.get(id).cloned() else { continue };
            if !grant.should_start(now) || !grant.activate(now) {
                continue;
            }
            let text =
                format!("{} for {} begins, until {}", grant.role, grant.user, grant.deadline.wall);
            let actor = grant.granted_by.clone();
            let entry = self.about(Event::GrantActivated, &grant, &actor, text);
            writes.extend([Write::Grant(grant.clone()), Write::Record(entry.clone())]);
            writes.extend(self.outgoing(&entry, None, Some(&grant)));
            begun.push((grant, entry));
        }
        if begun.is_empty() {
            return true;
        }
        let grants: Vec<Grant> = begun.iter().map(|(grant, _)| grant.clone()).collect();
        writes.extend(self.beginning(&grants).await);
        // What cannot be made durable does not begin.
        if let Err(error) = self.store.change(writes).await {
            self.state().unbegun = Some(unsaved_text());
            self.alarm_state(&error);
            return false;
        }
        for (grant, entry) in begun {
            let mut state = self.state();
            // Revoked while it was being written: it stays ended.
            if state.index.get(&grant.id).is_some() {
                state.index.put(grant);
                drop(state);
                self.changed();
                self.record.tell(&entry);
            }
        }
        self.enforce().await;
        true
    }

    fn notice_step(&self, before: Moment, now: Moment) {
        let step = now.wall.micros_since(before.wall) - (now.boot - before.boot);
        if step.abs() <= STEP {
            return;
        }
        let (way, seconds) = (if step < 0 { "back" } else { "forwards" }, step.abs() / 1_000_000);
        let text =
            format!("the wall clock was set {way} by {seconds} s; no grant is longer for it");
        self.record.note(Entry::new(now.wall, Event::ClockStepped, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_takes_something_is_tried_again_soon() {
        let now = Moment { wall: stint_proto::Timestamp::from_micros(0), boot: 0 };
        let (first, longest) = LOG_PAUSES;
        let mut waits = LogWaits::default();
        assert_eq!(waits.next(0, now), None);
        for _ in 0..20 {
            assert!(waits.next(9, now).is_some_and(|at| at <= longest));
        }
        assert_eq!(waits.next(9, now), Some(longest));
        assert_eq!(waits.next(8, now), Some(first));
        assert_eq!(waits.next(0, now), None);
    }
}
