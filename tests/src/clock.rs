//! The one file of the tests that reads the clock and sleeps: deadlines, pauses, polling.
//! Nothing else here may wait without a deadline, and nobody may ever set a clock.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The end of somebody's patience. It is made once and passed on, so that nested waits share it.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    patience: Duration,
}

impl Deadline {
    /// Patience of this length, from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock of the tests")]
    pub fn after(patience: Duration) -> Self {
        Self { started: Instant::now(), patience }
    }

    /// Patience of so many seconds, from now.
    #[must_use]
    pub fn seconds(seconds: u64) -> Self {
        Self::after(Duration::from_secs(seconds))
    }

    /// How long ago it was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is left; zero once it has passed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.patience.saturating_sub(self.elapsed())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// What the machine's wall clock says, since the epoch: all hosts on it have the same.
///
/// # Panics
/// Never: every kernel has this clock.
#[must_use]
pub fn wall() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).expect("every kernel has this clock").into()
}

/// Waits a moment between two looks at something that cannot be waited for itself.
#[expect(clippy::disallowed_methods, reason = "this is the clock of the tests")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// Looks again and again until `look` gives a value.
///
/// # Panics
/// When `patience` has passed; the message names `what`.
pub fn eventually<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(patience);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!deadline.passed(), "{what}: not within {patience:?}");
        pause(Duration::from_millis(30));
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadline, eventually};
    use std::time::Duration;

    #[test]
    #[should_panic(expected = "a thing that never comes: not within")]
    fn patience_ends() {
        eventually::<()>("a thing that never comes", Duration::from_millis(50), || None);
    }

    #[test]
    fn what_comes_late_is_still_found() {
        let mut looks = 0;
        let found = eventually("the third look", Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, 3);
    }

    #[test]
    fn a_deadline_passes_and_then_nothing_is_left() {
        let deadline = Deadline::after(Duration::ZERO);
        assert!(deadline.passed());
        assert!(!Deadline::seconds(60).passed());
    }
}
