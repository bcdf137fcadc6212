//! Waiting until a request is decided: one call after the other, across a restart of the daemon.

use std::io::{Error, PipeReader, pipe};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, channel};
use std::thread::Builder;
use std::time::Duration;

use nix::sys::signal::Signal;
use stint_proto::{
    ExitStatus, Grant, GrantState, Length, Request, RequestId, RequestState, Status,
};

use crate::bus::{ask, runtime};
use crate::clock;
use crate::failure::Failure;
use crate::look::requests::awaits;
use crate::look::times::length;
use crate::out::Progress;
use crate::signals::{Came, Held};

/// How long one call waits, in seconds.
const CALL: u64 = 30;
/// How much longer its answer may take.
const SLACK: Duration = Duration::from_secs(10);
/// How long a daemon may be away, in microseconds.
const PATIENCE: i64 = 120_000_000;
/// How long until a daemon that is away is asked again, and a terminal's line is looked at again.
const TICK: Duration = Duration::from_secs(1);
/// How long until a grant that begins later is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How a wait ended. The request is as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The request is no longer pending.
    Over(Request),
    /// It still is, and the time is over.
    Late(Request),
    /// It still is, and the person does not want to wait any longer.
    Interrupted(Request),
}

/// How a wait for a grant's beginning ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It has begun.
    Held(Grant),
    /// It has not, and the person does not want to wait any longer.
    Interrupted(Grant),
}

/// The request as it is now.
///
/// # Errors
/// With the daemon's own message.
pub fn look(id: &RequestId) -> Result<Request, Failure> {
    crate::bus::call("Await", &(id, 0_u64))
}

/// Waits until the request is decided, `limit` is over, or Ctrl-C is pressed; shows on standard
/// error how it stands.
///
/// # Errors
/// With the daemon's own message, or when it has been away for too long.
pub fn wait(request: Request, limit: Option<Length>) -> Result<Waited, Failure> {
    let began = clock::boot();
    let wait = Wait {
        began,
        end: limit.map(|limit| began.saturating_add(limit.micros())),
        interrupt: Held::hold(&[Signal::SIGINT])?,
        progress: Progress::new(),
    };
    wait.run(request)
}

/// The caller's own grant that came of the request, as soon as it has begun.
///
/// # Errors
/// When it is over before it has begun, or with the daemon's own message.
pub fn wait_for_start(request: &Request) -> Result<Started, Failure> {
    let interrupt = Held::hold(&[Signal::SIGINT])?;
    loop {
        let grant = grant_of(request)?.ok_or_else(|| {
            let text = format!("what came of {} is over before it has begun", request.id);
            Failure::new(ExitStatus::Refused, text)
        })?;
        if grant.state != GrantState::Scheduled {
            return Ok(Started::Held(grant));
        }
        let left = grant.starts_at.micros_since(clock::wall());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
        // Not longer at once: the clock may be set, and the grant taken back.
        if interrupt.or(None, left.clamp(TICK, LOOK_AGAIN))? != Came::Nothing {
            return Ok(Started::Interrupted(grant));
        }
    }
}

/// The caller's own grant that came of the request, if it is still held.
///
/// # Errors
/// With the daemon's own message.
pub fn grant_of(request: &Request) -> Result<Option<Grant>, Failure> {
    let status: Status = crate::bus::call("Status", &())?;
    let wanted = request.extends.as_ref().or(request.grant.as_ref());
    Ok(status.grants.into_iter().find(|grant| Some(&grant.id) == wanted))
}

struct Wait {
    began: i64,
    end: Option<i64>,
    interrupt: Held,
    progress: Progress,
}

impl Wait {
    fn run(mut self, mut request: Request) -> Result<Waited, Failure> {
        let mut answered = clock::boot();
        let mut away = false;
        while request.state == RequestState::Pending {
            // Asked at once, a daemon that is away would be asked without a pause.
            if away && self.interrupt.or(None, TICK)? != Came::Nothing {
                return Ok(Waited::Interrupted(request));
            }
            let seconds = if away { 0 } else { self.seconds() };
            let (answer, answers) = question(request.id.clone(), seconds)?;
            loop {
                if self.left().is_some_and(|left| left.is_zero()) {
                    return Ok(Waited::Late(request));
                }
                self.show(&request, away);
                match self.interrupt.or(Some(answer.as_fd()), self.tick())? {
                    Came::Signal(_) => return Ok(Waited::Interrupted(request)),
                    Came::Ready => break,
                    Came::Nothing => {}
                }
            }
            let lost = || Err(Failure::failed("the question to stintd was lost"));
            match answers.recv().unwrap_or_else(|_| lost()) {
                Ok(now) => (request, answered, away) = (now, clock::boot(), false),
                Err(failure) => {
                    let gone = clock::boot().saturating_sub(answered);
                    if failure.status != ExitStatus::Unavailable || gone > PATIENCE {
                        return Err(failure);
                    }
                    away = true;
                }
            }
        }
        Ok(Waited::Over(request))
    }

    fn show(&mut self, request: &Request, away: bool) {
        let waited = clock::boot().saturating_sub(self.began);
        let text = awaits(request);
        let text = if away { format!("{text}; stintd does not answer now") } else { text };
        self.progress.show(&text, &format!("({})", length(waited)));
    }

    /// How long until the end.
    fn left(&self) -> Option<Duration> {
        let left = self.end.map(|end| end.saturating_sub(clock::boot()));
        left.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }

    /// How long the next call waits; rounded up.
    fn seconds(&self) -> u64 {
        self.left().map_or(CALL, |left| left.as_secs().saturating_add(1).min(CALL))
    }

    fn tick(&self) -> Duration {
        self.left().map_or(TICK, |left| left.min(TICK))
    }
}

type Answer = Result<Request, Failure>;

/// Asks in a thread of its own, so that this one sees a signal at once. The pipe ends when the
/// answer is there.
fn question(id: RequestId, seconds: u64) -> Result<(PipeReader, Receiver<Answer>), Failure> {
    let refused = |error: Error| Failure::failed(format!("the system refused a thread: {error}"));
    let (ready, end) = pipe().map_err(refused)?;
    let (answer, answers) = channel();
    let asks = move || {
        let limit = Duration::from_secs(seconds) + SLACK;
        let answered = runtime().and_then(|on| on.block_on(ask("Await", &(id, seconds), limit)));
        // Nobody who has stopped waiting wants to know.
        let _ = answer.send(answered);
        drop(end);
    };
    Builder::new().spawn(asks).map_err(refused)?;
    Ok((ready, answers))
}
