//! Signals that are held back while something must be brought to an end in order. No handler is
//! put in: what is ignored stays ignored, and a command that is started has what it would have.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::failure::Failure;

/// What came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// This one of the signals.
    Signal(Signal),
    /// What else was waited for.
    Ready,
    /// The end of the time.
    Nothing,
}

/// Signals of this thread that are held back for as long as this lives.
#[derive(Debug)]
pub struct Held {
    before: SigSet,
    queue: SignalFd,
}

impl Held {
    /// Holds these signals back.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hold(signals: &[Signal]) -> Result<Self, Failure> {
        let refused = |error: Errno| Failure::failed(format!("signals: {error}"));
        let signals: SigSet = signals.iter().copied().collect();
        let queue = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(refused)?;
        let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(refused)?;
        Ok(Self { before, queue })
    }

    /// What was held back before.
    pub fn before(&self) -> &SigSet {
        &self.before
    }

    /// The next of them that has come already.
    pub fn come(&self) -> Option<Signal> {
        let read = self.queue.read_signal().ok().flatten()?;
        Signal::try_from(i32::try_from(read.ssi_signo).ok()?).ok()
    }

    /// Waits for one of them, for something to read or the end of it in `other`, or so long.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn or(&self, other: Option<BorrowedFd<'_>>, limit: Duration) -> Result<Came, Failure> {
        let limit = limit.as_millis().saturating_add(1);
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        let queue = self.queue.as_fd();
        // Without another one it is the queue twice, which is looked at first.
        let mut watched =
            [queue, other.unwrap_or(queue)].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut watched, limit) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(Failure::failed(format!("signals: {error}"))),
        }
        if let Some(signal) = self.come() {
            return Ok(Came::Signal(signal));
        }
        let ready = watched.iter().any(|fd| fd.any() == Some(true));
        Ok(if ready { Came::Ready } else { Came::Nothing })
    }
}

/// What has come meanwhile was for whatever is over now.
impl Drop for Held {
    fn drop(&mut self) {
        while self.come().is_some() {}
        // A mask that was this thread's own is not refused.
        let _ = self.before.thread_set_mask();
    }
}

/// Whether a signal does nothing to this process, as whoever started it wanted it: held back, it
/// would come nevertheless.
pub fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

/// Ends this process by a signal, without a core of its own. Comes back where the signal does
/// nothing: it is ignored.
pub fn die_of(signal: Signal) {
    // Where the core cannot be forgone, there is one more.
    let _ = nix::sys::prctl::set_dumpable(false);
    let _ = raise(signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_whoever_started_it_ignores_is_known() {
        // Rust's own start ignores the one; nobody can ignore the other.
        assert!(is_ignored(Signal::SIGPIPE));
        assert!(!is_ignored(Signal::SIGKILL));
    }

    #[test]
    fn what_is_held_back_ends_nothing_and_is_forgotten() {
        let held = Held::hold(&[Signal::SIGUSR1]).unwrap();
        assert_eq!(held.come(), None);
        raise(Signal::SIGUSR1).unwrap();
        assert_eq!(held.or(None, Duration::ZERO).unwrap(), Came::Signal(Signal::SIGUSR1));
        assert_eq!(held.or(None, Duration::ZERO).unwrap(), Came::Nothing);
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(held.or(Some(reader.as_fd()), Duration::ZERO).unwrap(), Came::Nothing);
        drop(writer);
        assert_eq!(held.or(Some(reader.as_fd()), Duration::ZERO).unwrap(), Came::Ready);
        raise(Signal::SIGUSR1).unwrap();
        // Its default would end this test.
        drop(held);
        assert!(!SigSet::thread_get_mask().unwrap().contains(Signal::SIGUSR1));
    }
}
