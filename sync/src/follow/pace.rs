//! How long to wait from one look to the next. Numbers alone: it knows neither why a look failed nor
//! what time it is.

use std::time::Duration;

/// While things fail the pauses grow up to this, or to the usual one if that is longer.
const SLOWEST: Duration = Duration::from_secs(900);
/// The first pause where a document came and only stintd was away; it grows up to the usual one.
const STINTD: Duration = Duration::from_secs(5);

/// What the next pause follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    every: Duration,
    /// Looks in a row of which nothing came.
    missed: u32,
    /// Documents in a row that stintd was not there to take.
    not_delivered: u32,
}

impl Pace {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, missed: 0, not_delivered: 0 }
    }

    pub(super) fn went_well(&mut self) {
        *self = Self::new(self.every);
    }

    /// The server failed, or what it has is of no use.
    pub(super) fn missed(&mut self) {
        self.not_delivered = 0;
        self.missed = self.missed.saturating_add(1);
    }

    /// The server did its part.
    pub(super) fn not_delivered(&mut self) {
        self.missed = 0;
        self.not_delivered = self.not_delivered.saturating_add(1);
    }

    /// Without chance: the usual pause; twice that after one failure, and so on.
    fn base(self) -> Duration {
        if self.not_delivered > 0 {
            return grown(STINTD, self.not_delivered - 1).min(self.every);
        }
        grown(self.every, self.missed).min(SLOWEST.max(self.every))
    }

    /// From four to six fifths of the base.
    pub(super) fn pause(self, chance: u32) -> Duration {
        let base = u64::try_from(self.base().as_millis()).unwrap_or(u64::MAX / 4);
        let share = (u128::from(base) * 2 / 5 * u128::from(chance)) >> 32;
        Duration::from_millis(base / 5 * 4 + u64::try_from(share).unwrap_or_default())
    }
}

fn grown(base: Duration, times: u32) -> Duration {
    base.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn after(steps: impl IntoIterator<Item = fn(&mut Pace)>) -> Pace {
        let mut pace = Pace::new(MINUTE);
        steps.into_iter().for_each(|step| step(&mut pace));
        pace
    }

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour_and_are_short_again_at_once() {
        let bases = (0..8).map(|n| after(vec![Pace::missed as fn(&mut Pace); n]).base().as_secs());
        assert_eq!(bases.collect::<Vec<_>>(), [60, 120, 240, 480, 900, 900, 900, 900]);
        assert_eq!(after([Pace::missed, Pace::missed, Pace::went_well]).base(), MINUTE);
        let away =
            (1..7).map(|n| after(vec![Pace::not_delivered as fn(&mut Pace); n]).base().as_secs());
        assert_eq!(away.collect::<Vec<_>>(), [5, 10, 20, 40, 60, 60]);
        let mut daily = Pace::new(Duration::from_secs(86_400));
        daily.missed();
        assert_eq!(daily.base(), Duration::from_secs(86_400));
    }

    proptest! {
        #[test]
        fn a_pause_is_never_none_and_never_endless(
            every in 1_u64..=86_400,
            steps in prop::collection::vec(0_u8..3, 0..80),
            chance: u32,
        ) {
            let every = Duration::from_secs(every);
            let mut pace = Pace::new(every);
            for step in steps {
                match step {
                    0 => pace.went_well(),
                    1 => pace.missed(),
                    _ => pace.not_delivered(),
                }
                let (base, pause) = (pace.base(), pace.pause(chance));
                prop_assert!(pause >= Duration::from_millis(800));
                prop_assert!(pause >= base.mul_f64(0.79) && pause <= base.mul_f64(1.21));
                prop_assert!(base <= every.max(SLOWEST));
                prop_assert!(pace.missed == 0 || base >= every);
            }
        }

        #[test]
        fn chance_spreads_all_of_them(one: u32, other: u32) {
            let pace = Pace::new(MINUTE);
            let (one, other) = (one.min(other), one.max(other));
            prop_assert!(pace.pause(one) <= pace.pause(other));
        }
    }

    #[test]
    fn chance_reaches_both_ends() {
        let pace = Pace::new(MINUTE);
        assert_eq!(pace.pause(0), Duration::from_secs(48));
        assert_eq!(pace.pause(u32::MAX).as_secs(), 71);
    }
}
