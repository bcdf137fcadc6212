//! What time it is, as two values: a clock that was set back makes nothing good again that was over.

use stint_proto::Timestamp;

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// What the wall clock says: nothing counts before its time has come by this.
    pub wall: Timestamp,
    /// The latest that it can be: nothing counts after its time by this. Never before `wall`.
    pub latest: Timestamp,
}

impl Times {
    /// Where one clock is all that is known.
    #[must_use]
    pub const fn at(wall: Timestamp) -> Self {
        Self { wall, latest: wall }
    }

    /// Whether something has begun that begins then.
    #[must_use]
    pub fn has_begun(&self, at: Timestamp) -> bool {
        at <= self.wall
    }

    /// Whether something is over that counts up to then, itself included.
    #[must_use]
    pub fn is_over(&self, at: Timestamp) -> bool {
        at < self.latest
    }

    /// The wall clock in whole seconds, as OpenSSH compares.
    pub(crate) fn wall_seconds(&self) -> i64 {
        self.wall.micros().div_euclid(1_000_000)
    }

    /// The latest, in whole seconds.
    pub(crate) fn latest_seconds(&self) -> i64 {
        self.latest.micros().div_euclid(1_000_000)
    }
}
