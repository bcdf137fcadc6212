//! A deadline is two clocks, and whichever reaches it first.
//!
//! The wall clock alone could be set back and so lengthen a grant; the boot clock alone would not
//! survive a reboot. Together they only ever shorten.

use stint_proto::Timestamp;

use crate::clock::Moment;

/// The end of a grant on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// On the wall clock.
    pub wall: Timestamp,
    /// On the boot clock of this boot, in microseconds since boot.
    pub boot: i64,
}

impl Deadline {
    /// The deadline of a grant that ends at `expires_at`, seen from `now`.
    ///
    /// `trusted_wall` is the latest wall clock that was ever recorded: where the clock has gone
    /// back since, the time that is left is counted from there, so that a clock set back over a
    /// reboot does not lengthen the grant either.
    #[must_use]
    pub fn from_wall(expires_at: Timestamp, now: Moment, trusted_wall: Timestamp) -> Self {
        let left = expires_at.micros_since(now.wall.max(trusted_wall)).max(0);
        Self { wall: expires_at, boot: now.boot.saturating_add(left) }
    }

    /// Whether it is reached on either clock.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        now.wall >= self.wall || now.boot >= self.boot
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(wall: i64, boot: i64) -> Moment {
        Moment { wall: Timestamp::from_micros(wall), boot }
    }

    #[test]
    fn a_clock_set_back_does_not_lengthen_it() {
        let deadline = Deadline::from_wall(
            Timestamp::from_micros(1_000),
            moment(400, 50),
            Timestamp::from_micros(0),
        );
        assert!(!deadline.is_due(moment(999, 649)));
        assert!(deadline.is_due(moment(100, 650)), "the boot clock ends it");
        assert!(deadline.is_due(moment(1_000, 60)), "a clock set forwards ends it");
    }

    #[test]
    fn a_clock_set_back_over_a_reboot_does_not_lengthen_it() {
        let recorded = Timestamp::from_micros(900);
        let deadline = Deadline::from_wall(Timestamp::from_micros(1_000), moment(5, 3), recorded);
        assert!(deadline.is_due(moment(108, 103)));
    }

    proptest! {
        #[test]
        fn it_is_due_after_the_time_that_was_left_whatever_the_wall_clock_does(
            expires in 0_i64..1 << 50, wall in 0_i64..1 << 50, high in 0_i64..1 << 50,
            boot in 0_i64..1 << 50, later_wall in 0_i64..1 << 50,
        ) {
            let deadline = Deadline::from_wall(
                Timestamp::from_micros(expires), moment(wall, boot), Timestamp::from_micros(high),
            );
            let left = (expires - wall.max(high)).max(0);
            prop_assert!(deadline.is_due(moment(later_wall, boot + left)));
        }
    }
}
