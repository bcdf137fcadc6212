//! Points in time as they are sent, stored and printed. Reads no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::Length;

/// A point in time: microseconds since 1970-01-01T00:00:00Z, as systemd counts (`x` on the wire).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The point `length` later; `None` past the end of what a calendar can print (year 9999).
    #[must_use]
    pub fn checked_add(self, length: Length) -> Option<Self> {
        let sum = self.0.checked_add(length.micros())?;
        jiff::Timestamp::from_microsecond(sum).ok()?;
        Some(Self(sum))
    }

    /// Microseconds from `earlier` to here; negative when `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339, UTC, to the millisecond: the one form used in JSON and in the record.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{} µs since 1970", self.0),
        }
    }
}

/// Reads RFC 3339 with a zone (`2026-12-01T09:00:00Z`).
impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|time| Self(time.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_utc_to_the_millisecond_and_reads_it_back() {
        let time = Timestamp::from_micros(1_764_579_600_123_000);
        assert_eq!(time.to_string(), "2025-12-01T09:00:00.123Z");
        assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
    }

    #[test]
    fn refuses_to_reach_past_the_calendar() {
        let end = "9999-12-30T00:00:00Z".parse::<Timestamp>().unwrap();
        assert!(end.checked_add(Length::from_seconds(3 * 86_400).unwrap()).is_none());
    }
}
