//! Waiting with an end: a lock that somebody holds, a program that has not finished. The only file
//! of this folder that pauses; it reads no clock, the pauses themselves are counted.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// How much waiting is left.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    left: Duration,
    next: Duration,
}

impl Patience {
    /// Patience for about this long.
    pub(super) const fn of(limit: Duration) -> Self {
        Self { left: limit, next: FIRST_PAUSE }
    }

    /// Waits a moment, longer each time; false, at once, when the patience is at its end.
    pub(super) fn pause(&mut self) -> bool {
        let pause = self.next;
        let Some(left) = self.left.checked_sub(pause) else { return false };
        self.left = left;
        self.next = pause.saturating_mul(2).min(LONGEST_PAUSE);
        // A signal may cut the pause short, which costs some of the patience and nothing else.
        let _ = clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::empty(),
            &TimeSpec::from_duration(pause),
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        assert!(!Patience::of(Duration::ZERO).pause());
        let mut patience = Patience::of(FIRST_PAUSE * 3);
        assert!(patience.pause());
        assert!(patience.pause());
        assert!(!patience.pause());
    }
}
