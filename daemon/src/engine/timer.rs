//! The one task that sleeps: until the next start or end on either clock, the next try of what
//! failed, or a change. It sleeps on two timers of the kernel, so nothing wakes it in between.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use stint_proto::Event;
use tokio::io::unix::AsyncFd;

use super::Engine;
use super::end::Ending;
use crate::clock::Moment;
use crate::record::Entry;
use crate::store::Write;

/// A wall clock that moves by more than this against the boot clock was set, in microseconds;
/// less is time synchronisation at work.
const STEP: i64 = 1_000_000;
/// How long until a full log is tried again, in microseconds.
const LOG_PAUSE: i64 = 500_000;
/// The far future for the wall clock's timer: it is always armed, to notice when the clock is set.
const FAR: i64 = 4_000_000_000_000_000;

/// A timer of the kernel that tokio can wait on.
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Timer {
    #[expect(
        deprecated,
        reason = "its successor is unsafe because a type's as_raw_fd could lie; this one's is the \
                  timer's own descriptor for as long as the timer lives"
    )]
    fn new(clock: ClockId) -> io::Result<AsyncFd<Self>> {
        let timer = TimerFd::new(clock, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)?;
        AsyncFd::new(Self(timer))
    }

    fn arm(&self, at: Option<i64>, flags: TimerSetTimeFlags) -> io::Result<()> {
        match at {
            // A time of zero would disarm it: what is over already is due at once.
            Some(at) => {
                self.0.set(Expiration::OneShot(TimeSpec::microseconds(at.max(1))), flags)?
            }
            None => self.0.unset()?,
        }
        Ok(())
    }
}

/// Waits until the timer has fired, or its clock was set.
async fn fired(timer: &AsyncFd<Timer>) -> io::Result<()> {
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
        let wall = Timer::new(ClockId::CLOCK_REALTIME)?;
        let boot = Timer::new(ClockId::CLOCK_BOOTTIME)?;
        let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
        let noticing = absolute | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let mut before = self.now();
        loop {
            let now = self.now();
            self.notice_step(before, now);
            before = now;
            self.turn(now).await;
            let behind = self.record.catch_up(now.wall);
            let (next, retry) = {
                let state = self.state();
                (state.index.next_due(), state.alarms.retry_at())
            };
            let log = behind.then(|| now.boot.saturating_add(LOG_PAUSE));
            // What should have started by now waits for the next try, not for its time.
            let next_wall = next.wall.filter(|at| *at > now.wall).map_or(FAR, |at| at.micros());
            wall.get_ref().arm(Some(next_wall), noticing)?;
            boot.get_ref().arm(next.boot.into_iter().chain(retry).chain(log).min(), absolute)?;
            tokio::select! {
                result = fired(&wall) => result?,
                result = fired(&boot) => result?,
                () = self.rearm.notified() => {}
                () = self.record.fell_behind() => {}
            }
        }
    }

    /// Begins and ends what is due, and tries again what failed.
    pub(super) async fn turn(&self, now: Moment) {
        let (due, starting, retry) = {
            let state = self.state();
            let retry = state.alarms.retry_at().is_some_and(|at| at <= now.boot);
            // A start that could not be made durable waits for the next try.
            let may_start = retry || !state.unbegun;
            let starting = if may_start { state.index.starting(now) } else { Vec::new() };
            (state.index.due(now), starting, retry)
        };
        if due.is_empty() && starting.is_empty() && !retry {
            return;
        }
        let changing = self.changes.lock().await;
        if !due.is_empty() {
            self.end(due, &Ending::expired()).await;
        }
        if !starting.is_empty() {
            self.begin_scheduled(&starting, now).await;
        }
        if retry {
            if starting.is_empty() {
                self.state().unbegun = false;
            }
            self.store_or_keep(Vec::new()).await;
            self.enforce().await;
        }
        drop(changing);
    }

    /// Begins scheduled grants whose time has come. The caller holds `changes`.
    async fn begin_scheduled(&self, ids: &[stint_proto::GrantId], now: Moment) {
        let mut writes = Vec::new();
        let mut begun = Vec::new();
        for id in ids {
            let Some(mut grant) = self.state().index.get(id).cloned() else { continue };
            if !grant.activate(now) {
                continue;
            }
            let text =
                format!("{} for {} begins, until {}", grant.role, grant.user, grant.deadline.wall);
            let actor = grant.granted_by.clone();
            let entry = self.about(Event::GrantActivated, &grant, &actor, text);
            writes.extend([Write::Grant(grant.clone()), Write::Record(entry.clone())]);
            begun.push((grant, entry));
        }
        // What cannot be made durable does not begin; it is tried again with the next turn.
        let done = self.store.change(writes).await;
        self.state().unbegun = done.is_err();
        if let Err(error) = done {
            self.alarm_state(&error);
            return;
        }
        for (grant, entry) in begun {
            let mut state = self.state();
            // Revoked while it was being written: it stays ended.
            if state.index.get(&grant.id).is_some() {
                state.index.put(grant);
                drop(state);
                self.record.tell(&entry);
            }
        }
        self.enforce().await;
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
