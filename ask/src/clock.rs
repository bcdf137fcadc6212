//! The clock: one deadline for everything that a call does. Nothing else here reads time.

use std::time::{Duration, Instant};

/// A point in time that is fixed once, at the start of a call; every wait takes what is left.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    length: Duration,
}

impl Deadline {
    /// The point `length` from now, on the monotonic clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock of those who ask")]
    pub fn after(length: Duration) -> Self {
        Self { start: Instant::now(), length }
    }

    /// What is left; `None` once nothing is.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        self.length.checked_sub(self.start.elapsed()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_nothing_and_something_of_a_minute() {
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
        let left = Deadline::after(Duration::from_secs(60)).left().unwrap();
        assert!(left <= Duration::from_secs(60));
    }
}
