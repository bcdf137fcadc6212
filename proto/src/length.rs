//! Lengths of time as people write them: `90s`, `30m`, `1h30m`, `2d`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zbus::Type;

/// A length of time in whole seconds, from 1 second to [`Length::MAX`]; zero and negative lengths
/// cannot be written down. On the wire it is a `t` of seconds.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(try_from = "u64", into = "u64")]
#[zbus(signature = "t")]
pub struct Length(u32);

/// Why a text is no length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadLength {
    /// It does not read as number-unit pairs.
    Unreadable(String),
    /// It reads, and is nothing or less.
    NotPositive(String),
    /// It reads, and is longer than [`Length::MAX`].
    TooLong(String),
}

impl fmt::Display for BadLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => {
                write!(f, "{text:?} is no duration: write it such as 30m, 1h30m, 90s or 2d")
            }
            Self::NotPositive(text) => write!(f, "{text:?} is no time at all: 1s is the shortest"),
            Self::TooLong(text) => write!(f, "{text:?} is too long: 366d is the longest"),
        }
    }
}

impl std::error::Error for BadLength {}

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const UNITS: [(char, u64); 4] = [('d', DAY), ('h', HOUR), ('m', MINUTE), ('s', SECOND)];

impl Length {
    /// The longest length: 366 days.
    pub const MAX: Self = Self(366 * 86_400);

    /// This many seconds; `None` outside 1 second to [`Length::MAX`].
    #[must_use]
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let seconds = u32::try_from(seconds).ok()?;
        (1..=Self::MAX.0).contains(&seconds).then_some(Self(seconds))
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::from(self.0)
    }

    /// In microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::from(self.0) * 1_000_000
    }
}

impl TryFrom<u64> for Length {
    type Error = BadLength;

    fn try_from(seconds: u64) -> Result<Self, BadLength> {
        Self::from_seconds(seconds).ok_or_else(|| {
            let text = format!("{seconds}s");
            if seconds == 0 { BadLength::NotPositive(text) } else { BadLength::TooLong(text) }
        })
    }
}

impl From<Length> for u64 {
    fn from(length: Length) -> Self {
        length.seconds()
    }
}

/// Reads number-unit pairs, larger units first, each unit once: `2d`, `1h30m`, `90s`.
impl FromStr for Length {
    type Err = BadLength;

    fn from_str(text: &str) -> Result<Self, BadLength> {
        let unreadable = || BadLength::Unreadable(text.chars().take(40).collect());
        let too_long = || BadLength::TooLong(text.chars().take(40).collect());
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if rest.is_empty() {
            return Err(unreadable());
        }
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(unreadable)?;
            let (number, tail) = rest.split_at(digits);
            let unit = tail.chars().next().ok_or_else(unreadable)?;
            let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(unreadable)?;
            if number.is_empty() {
                return Err(unreadable());
            }
            let number: u64 = number.parse().map_err(|_| too_long())?;
            total = number
                .checked_mul(*factor)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(too_long)?;
            rest = tail.get(unit.len_utf8()..).unwrap_or_default();
        }
        if negative || total == 0 {
            return Err(BadLength::NotPositive(text.chars().take(40).collect()));
        }
        Self::from_seconds(total).ok_or_else(too_long)
    }
}

/// As it is read: `1h30m`.
impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds();
        for (name, factor) in UNITS {
            if rest >= factor {
                write!(f, "{}{name}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_length() {
        for text in ["", "-", "30", "m", "1x", "1h 30m", "30m1h", "1m1m", "1.5h", "４m", "1h-5m"] {
            assert!(matches!(text.parse::<Length>(), Err(BadLength::Unreadable(_))), "{text}");
        }
        for text in ["0s", "0h0m", "-30m"] {
            assert!(matches!(text.parse::<Length>(), Err(BadLength::NotPositive(_))), "{text}");
        }
        for text in ["367d", "99999999999999999999s", "999999999999999999d"] {
            assert!(matches!(text.parse::<Length>(), Err(BadLength::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(text.parse::<Length>().unwrap().seconds(), seconds);
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(seconds in 1_u64..=31_622_400) {
            let length = Length::from_seconds(seconds).unwrap();
            prop_assert_eq!(length.to_string().parse::<Length>().unwrap(), length);
        }
    }
}
