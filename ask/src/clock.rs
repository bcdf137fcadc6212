//! One deadline for everything that a call does. Nothing else here asks for the time.

use core::time::Duration;

use crate::kernel;

/// A point in time that is fixed once, at the start of a call; every wait takes what is left.
// In nanoseconds: a Duration is one that panics where it overflows.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(u64);

impl Deadline {
    /// The point `length` from now, on the monotonic clock.
    #[must_use]
    pub fn after(length: Duration) -> Self {
        let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self(kernel::monotonic().saturating_add(nanos))
    }

    /// What is left; `None` once nothing is.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let left = self.0.saturating_sub(kernel::monotonic());
        (left != 0).then(|| Duration::from_nanos(left))
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
