//! How much is said of late: a store that somebody has taken over can hold thousands of bad documents, and is
//! to fill no journal with them. Numbers alone.

use std::time::Duration;

/// How many lines are said within so long.
const TOLD: u32 = 100;
const WINDOW: Duration = Duration::from_secs(600);

/// How much was said.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    since: Option<Duration>,
    told: u32,
    untold: u32,
}

impl Quiet {
    /// Whether one line more may be said, and how many were not said before.
    pub(crate) fn take(&mut self, now: Duration) -> (bool, u32) {
        let mut untold = 0;
        if self.since.is_none_or(|since| now.saturating_sub(since) > WINDOW) {
            untold = self.untold;
            *self = Self { since: Some(now), ..Self::default() };
        }
        if self.told < TOLD {
            self.told += 1;
            return (true, untold);
        }
        self.untold = self.untold.saturating_add(1);
        (false, untold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_the_first_are_said_and_the_others_counted() {
        let mut quiet = Quiet::default();
        let at = Duration::from_secs;
        let said = (0..500).filter(|_| quiet.take(at(1)).0).count();
        assert_eq!(said, 100);
        assert_eq!(quiet.take(at(601)), (false, 0));
        assert_eq!(quiet.take(at(602)), (true, 401));
        assert_eq!(quiet.take(at(603)), (true, 0));
    }
}
