//! A deadline is two clocks, and whichever reaches it first.
//!
//! The wall clock alone could be set back and so lengthen a grant; the boot clock alone would not
//! survive a reboot. Together they only ever shorten. Over a reboot what was left by the boot clock
//! is carried on, from the last moment that was written down of the boot before.

use stint_proto::Timestamp;

use crate::clock::Moment;

/// A wall clock that moves by more than this against the boot clock was set, in microseconds;
/// less is time synchronisation at work.
pub const STEP: i64 = 1_000_000;

/// The end of a grant on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// On the wall clock.
    pub wall: Timestamp,
    /// On the boot clock of this boot, in microseconds since boot.
    pub boot: i64,
}

impl Deadline {
    /// The deadline of a grant that ends at `expires_at`, seen from `now`: what is left by the wall
    /// clock is left by the boot clock too.
    #[must_use]
    pub fn from_wall(expires_at: Timestamp, now: Moment) -> Self {
        let left = expires_at.micros_since(now.wall).max(0);
        Self { wall: expires_at, boot: now.boot.saturating_add(left) }
    }

    /// Whether it is reached on either clock.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        now.wall >= self.wall || now.boot >= self.boot
    }

    /// For how long it has been reached, in microseconds. Where one of the clocks was set meanwhile,
    /// by the boot clock, which nobody sets; `None` if that has not reached it.
    #[must_use]
    pub fn passed_for(&self, now: Moment) -> Option<i64> {
        let by_wall = now.wall.micros_since(self.wall);
        let by_boot = now.boot.saturating_sub(self.boot);
        let agree = by_wall.saturating_sub(by_boot).saturating_abs() <= STEP;
        let passed = if agree { by_wall.max(by_boot) } else { by_boot };
        (passed >= 0).then_some(passed)
    }
}

/// A moment of a boot that was written down: in that boot, so much had passed at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which boot, by the kernel's id.
    pub boot_id: String,
    /// When.
    pub at: Moment,
}

/// A deadline as it was written down, with the boot whose clock it is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The deadline.
    pub deadline: Deadline,
    /// Which boot, by the kernel's id.
    pub boot_id: String,
}

/// What is known of the time before this boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The last mark.
    pub mark: Option<Mark>,
    /// The latest wall clock that was ever seen.
    pub seen: Timestamp,
}

impl Kept {
    /// The deadline on the clocks of this boot; `here` is its first or any later moment.
    ///
    /// In the boot that it is of, it is what it is. In a later one so much is left by the boot clock
    /// as was left at the last mark of its boot, and the wall clock may only end it earlier: one that
    /// has stood still or was set back over the reboot adds nothing. Where there is no such mark,
    /// what is left is counted from the latest wall clock that was ever seen.
    #[must_use]
    pub fn in_boot(&self, here: &Mark, past: &Past) -> Deadline {
        if self.boot_id == here.boot_id {
            return self.deadline;
        }
        let wall = self.deadline.wall;
        let by_wall = Deadline::from_wall(wall, here.at).boot;
        let boot = match &past.mark {
            // The boot clock began after the mark: all of it has passed since.
            Some(mark) if mark.boot_id == self.boot_id => {
                self.deadline.boot.saturating_sub(mark.at.boot).max(0)
            }
            _ => {
                let left = wall.micros_since(past.seen).max(0);
                here.at.boot.saturating_add(left)
            }
        };
        Deadline { wall, boot: boot.min(by_wall) }
    }

    /// Whether it is reached, in this boot.
    #[must_use]
    pub fn is_over(&self, here: &Mark, past: &Past) -> bool {
        self.in_boot(here, past).is_due(here.at)
    }
}

#[cfg(test)]
mod tests;
