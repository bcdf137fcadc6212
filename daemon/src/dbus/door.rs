//! The thread that serves the module's socket. It answers at once what can be answered at once: a
//! check that is allowed is one waking of it. An answer that the kernel may hold up is another
//! thread's, and one that has to wait (for the account database, which may hang) goes on in the
//! runtime: neither holds up another.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use stint_proto::Uid;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::asking::{Asking, Progress};
use super::desk::{Answers, Asked, Desk, LATER, complain, guarded};
use crate::clock::{Clock, KernelClock};

/// Questions under way at once; more wait in the socket's queue, which is the kernel's.
pub(super) const AT_ONCE: u16 = 4_096;
/// How long a daemon that stops still answers what it has taken. Meanwhile others wait in the
/// queue, and the module waits for 3 s by default: so this is short, and an answer is shorter.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How long a peer may take to ask: somebody who parks their sudos takes no place from others.
const PATIENCE: Duration = Duration::from_secs(3);
/// How soon to look again whether a place has become free.
const FULL: Duration = Duration::from_millis(20);

/// Whom the door is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whom {
    /// The effective uid of the process that connects.
    pub(super) owner: Uid,
    /// How long it may take to ask.
    pub(super) patience: Duration,
}

impl Whom {
    /// The module, in a process that root privilege runs.
    pub(super) const fn root() -> Self {
        Self { owner: Uid::ROOT, patience: PATIENCE }
    }
}

/// A point on the boot clock, in microseconds.
type Point = i64;

fn now() -> Point {
    KernelClock.now().boot
}

fn after(start: Point, length: Duration) -> Point {
    start.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX))
}

/// Somebody who has connected and not asked yet.
struct Guest {
    asking: Asking,
    by: Point,
    permit: OwnedSemaphorePermit,
}

/// What a wait has brought.
#[derive(Default)]
struct Ready {
    stop: bool,
    listener: bool,
    guests: Vec<usize>,
}

/// The door and who stands at it.
pub(super) struct Door<A> {
    desk: Desk<A>,
    whom: Whom,
    guid: String,
    places: Arc<Semaphore>,
    guests: Vec<Guest>,
    settle_at: Option<Point>,
    stop_at: Option<Point>,
}

impl<A: Answers> Door<A> {
    /// A door with [`AT_ONCE`] places; who has one keeps it until the answer is sent.
    ///
    /// # Errors
    /// When there can be no thread for what the kernel may hold up.
    pub(super) fn new(
        answers: A,
        whom: Whom,
        runtime: Handle,
        guid: String,
        places: Arc<Semaphore>,
    ) -> io::Result<Self> {
        let desk = Desk::new(answers, runtime)?;
        let guests = Vec::new();
        Ok(Self { desk, whom, guid, places, guests, settle_at: None, stop_at: None })
    }

    /// Serves who comes until the other end of `stop` is closed; then those who are there already,
    /// for [`LAST_ANSWERS`] at the most.
    ///
    /// # Errors
    /// When the socket itself fails.
    pub(super) fn keep(&mut self, listener: &UnixListener, stop: &UnixStream) -> io::Result<()> {
        let kept = self.keep_until_the_end(listener, stop);
        self.guests.clear();
        self.desk.answers().settle();
        kept
    }

    fn keep_until_the_end(&mut self, listener: &UnixListener, stop: &UnixStream) -> io::Result<()> {
        loop {
            let ready = self.wait(listener, stop)?;
            let now = now();
            // From the last to the first, so that those who leave move none that is still to come.
            for at in ready.guests.into_iter().rev() {
                let guest = self.guests.swap_remove(at);
                self.hear(guest, now);
            }
            self.guests.retain(|guest| guest.by > now);
            if ready.listener {
                self.welcome(listener, now)?;
            }
            if self.settle_at.is_some_and(|at| at <= now) {
                self.settle_at = None;
                self.desk.answers().settle();
            }
            if ready.stop {
                self.stop_at = Some(after(now, LAST_ANSWERS));
            }
            if self.stop_at.is_some_and(|at| at <= now || self.guests.is_empty()) {
                return Ok(());
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, listener: &UnixListener, stop: &UnixStream) -> io::Result<Ready> {
        let stopping = self.stop_at.is_some();
        let full = self.places.available_permits() == 0;
        let listening = if stopping || full { PollFlags::empty() } else { PollFlags::POLLIN };
        let stop_flags = if stopping { PollFlags::empty() } else { PollFlags::POLLIN };
        let mut polled = Vec::with_capacity(2 + self.guests.len());
        polled.push(PollFd::new(listener.as_fd(), listening));
        if !stopping {
            polled.push(PollFd::new(stop.as_fd(), stop_flags));
        }
        let first_guest = polled.len();
        let guests = self.guests.iter();
        polled.extend(guests.map(|guest| PollFd::new(guest.asking.as_fd(), PollFlags::POLLIN)));
        match poll(&mut polled, self.timeout(full && !stopping)) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Ready::default()),
            Err(errno) => return Err(errno.into()),
        }
        let mut happened = polled.iter().map(|fd| fd.any().unwrap_or(true));
        Ok(Ready {
            listener: happened.next().unwrap_or(false) && !listening.is_empty(),
            stop: first_guest == 2 && happened.next().unwrap_or(false),
            guests: happened.enumerate().filter(|(_, ready)| *ready).map(|(at, _)| at).collect(),
        })
    }

    /// How long there is nothing to do unless somebody comes.
    fn timeout(&self, full: bool) -> PollTimeout {
        let guests = self.guests.iter().map(|guest| guest.by);
        let soonest = guests.chain(self.settle_at).chain(self.stop_at).min();
        if soonest.is_none() && !full {
            return PollTimeout::NONE;
        }
        let now = now();
        let full = full.then(|| after(now, FULL));
        let soonest = soonest.into_iter().chain(full).min().unwrap_or(now);
        let left = Duration::from_micros(soonest.saturating_sub(now).max(0).unsigned_abs());
        // Rounded up, so that the last millisecond is slept through and not spun through.
        let left = if left.is_zero() { left } else { left + Duration::from_millis(1) };
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// Lets the next one in.
    fn welcome(&mut self, listener: &UnixListener, now: Point) -> io::Result<()> {
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(()) };
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // The peer left before its turn: the next may fare better.
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        match Asking::new(stream, self.whom.owner) {
            Ok(asking) => {
                self.hear(Guest { asking, by: after(now, self.whom.patience), permit }, now);
            }
            Err(error) => complain(&error),
        }
        Ok(())
    }

    /// Hears what somebody has said so far, and has it answered once it is a question.
    fn hear(&mut self, guest: Guest, now: Point) {
        guarded(|| self.listen(guest, now));
    }

    fn listen(&mut self, mut guest: Guest, now: Point) {
        match guest.asking.advance(&self.guid) {
            Ok(Progress::NotYet) => self.guests.push(guest),
            Ok(Progress::Left) => {}
            Ok(Progress::Asked { peer, message }) => {
                let Guest { asking, permit, .. } = guest;
                let asked = Asked { asking, permit };
                let answering = self.desk.answers().answer(peer, &message);
                self.settle_at.get_or_insert(after(now, LATER));
                self.desk.send(asked, answering);
            }
            Err(error) => complain(&error),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    // Short of descriptors or memory: so it may not be at the next try.
    let short = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    let is_short = error.raw_os_error().is_some_and(|raw| short.contains(&Errno::from_raw(raw)));
    is_short
        || matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
        )
}
