//! Working hours: `Mon-Fri 08:00-18:00 Europe/Berlin`. Whether a point in time lies within them
//! is asked with the point; nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use stint_proto::Timestamp;

use crate::text::quoted;

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];
const DAY: u32 = 24 * 60;
/// The most windows of one `hours`.
const WINDOW_LIMIT: usize = 16;

/// One or more windows of the week, each in its time zone. Two are the same if they are written
/// the same.
#[derive(Clone, Debug)]
pub struct Hours {
    source: String,
    windows: Vec<Window>,
}

impl PartialEq for Hours {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Hours {}

/// Minutes of the day on some days; `until` at or before `from` is meant for the day after.
#[derive(Clone, Debug)]
struct Window {
    days: [bool; 7],
    from: u32,
    until: u32,
    zone: TimeZone,
}

/// Why a text says no hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadHours {
    /// A window is not days, times and zone.
    Shape {
        /// The window found.
        found: String,
    },
    /// No day of the week.
    Day {
        /// What was found.
        found: String,
    },
    /// No time of day.
    Time {
        /// What was found.
        found: String,
    },
    /// It ends when it begins.
    Empty {
        /// What was found.
        found: String,
    },
    /// No time zone that this machine knows.
    Zone {
        /// What was found.
        found: String,
    },
    /// More windows than a week has use for.
    TooMany,
}

impl fmt::Display for BadHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { found } => {
                write!(f, "{} does not read as days, times and a time zone", quoted(found))
            }
            Self::Day { found } => write!(f, "{} is no day of the week", quoted(found)),
            Self::Time { found } => write!(f, "{} is no time of day", quoted(found)),
            Self::Empty { found } => write!(f, "{} ends when it begins", quoted(found)),
            Self::Zone { found } => write!(f, "{} is no known time zone", quoted(found)),
            Self::TooMany => write!(f, "more than {WINDOW_LIMIT} windows"),
        }
    }
}

impl BadHours {
    /// What would be right.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Shape { .. } | Self::TooMany => {
                "such as \"Mon-Fri 08:00-18:00 Europe/Berlin\"; several are parted by ';'"
            }
            Self::Day { .. } => "Mon Tue Wed Thu Fri Sat Sun, \"Mon-Fri\", \"Sat,Sun\", or daily",
            Self::Time { .. } => "such as 08:00-18:00, or 22:00-06:00 over midnight",
            Self::Empty { .. } => "the whole day is 00:00-24:00",
            Self::Zone { .. } => "such as Europe/Berlin or UTC; the package tzdata has them",
        }
    }
}

impl std::error::Error for BadHours {}

impl FromStr for Hours {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, BadHours> {
        if text.split(';').count() > WINDOW_LIMIT {
            return Err(BadHours::TooMany);
        }
        let windows = text.split(';').map(window).collect::<Result<_, _>>()?;
        Ok(Self { source: text.to_owned(), windows })
    }
}

fn window(text: &str) -> Result<Window, BadHours> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [on, times, name] = words.as_slice() else {
        return Err(BadHours::Shape { found: text.trim().to_owned() });
    };
    let days = days(on)?;
    let bad_time = || BadHours::Time { found: (*times).to_owned() };
    let (from, until) = times.split_once('-').ok_or_else(bad_time)?;
    let from = minute(from).filter(|from| *from < DAY).ok_or_else(bad_time)?;
    let until = minute(until).ok_or_else(bad_time)?;
    if from == until {
        return Err(BadHours::Empty { found: (*times).to_owned() });
    }
    let zone = TimeZone::get(name).map_err(|_| BadHours::Zone { found: (*name).to_owned() })?;
    Ok(Window { days, from, until, zone })
}

fn days(text: &str) -> Result<[bool; 7], BadHours> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok([true; 7]);
    }
    let mut on = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7;
        for (number, slot) in on.iter_mut().enumerate() {
            *slot |= (number + 7 - first) % 7 <= count;
        }
    }
    Ok(on)
}

fn day(text: &str) -> Result<usize, BadHours> {
    DAYS.iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(text))
        .ok_or_else(|| BadHours::Day { found: text.to_owned() })
}

/// `HH:MM` in minutes, 24:00 among them.
fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let sum = hour * 60 + minute;
    (minute < 60 && sum <= DAY).then_some(sum)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.source)
    }
}

impl Hours {
    /// Whether the point lies within them, by the clock on the wall of their zone.
    #[must_use]
    pub fn contain(&self, at: Timestamp) -> bool {
        let Ok(at) = jiff::Timestamp::from_microsecond(at.micros()) else { return false };
        self.windows.iter().any(|window| window.contains(at))
    }
}

impl Hours {
    /// When they begin next after the point, on one of the eight days from there on.
    #[must_use]
    pub fn next_opening(&self, after: Timestamp) -> Option<Timestamp> {
        let from = jiff::Timestamp::from_microsecond(after.micros()).ok()?;
        let openings = self.windows.iter().flat_map(|window| window.openings(from));
        let points = openings.map(|opening| Timestamp::from_micros(opening.as_microsecond()));
        points.filter(|point| *point > after && self.contain(*point)).min()
    }
}

impl Window {
    /// When it begins on its days from this one on. Where the clock skips that minute, it begins
    /// as much later as was skipped.
    fn openings(&self, from: jiff::Timestamp) -> Vec<jiff::Timestamp> {
        let today = self.zone.to_datetime(from).date();
        let opening = |ahead: i64| {
            let day = today.checked_add(jiff::Span::new().try_days(ahead).ok()?).ok()?;
            let minutes = jiff::Span::new().try_minutes(self.from).ok()?;
            let begins =
                day.to_datetime(jiff::civil::Time::midnight()).checked_add(minutes).ok()?;
            let found = self.zone.to_timestamp(begins).ok()?;
            self.on(day.weekday()).then_some(found)
        };
        (0..=8).filter_map(opening).collect()
    }

    fn contains(&self, at: jiff::Timestamp) -> bool {
        let local = self.zone.to_datetime(at);
        let now =
            u32::from(local.hour().unsigned_abs()) * 60 + u32::from(local.minute().unsigned_abs());
        let today = self.on(local.weekday());
        if self.from < self.until {
            return today && (self.from..self.until).contains(&now);
        }
        let yesterday = self.on(local.weekday().previous());
        (today && now >= self.from) || (yesterday && now < self.until)
    }

    fn on(&self, day: Weekday) -> bool {
        DAYS.iter().zip(self.days).any(|((_, name), on)| on && *name == day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inside(hours: &str, at: &str) -> bool {
        hours.parse::<Hours>().unwrap().contain(at.parse().unwrap())
    }

    #[test]
    fn refuses_what_says_no_hours() {
        let bad = |text: &str| text.parse::<Hours>().unwrap_err();
        for text in ["", "Mon-Fri", "Mon-Fri 08:00-18:00", "a b c d", "Mon 08:00-18:00 UTC;"] {
            assert!(matches!(bad(text), BadHours::Shape { .. }), "{text}");
        }
        for text in ["Mo 08:00-18:00 UTC", "Mon- 08:00-18:00 UTC", "Mon,,Tue 08:00-18:00 UTC"] {
            assert!(matches!(bad(text), BadHours::Day { .. }), "{text}");
        }
        for text in ["8:00-18:00", "08:00", "08:60-18:00", "24:00-25:00", "+8:00-18:00"] {
            let text = format!("Mon {text} UTC");
            assert!(matches!(bad(&text), BadHours::Time { .. }), "{text}");
        }
        assert!(matches!(bad("Mon 08:00-08:00 UTC"), BadHours::Empty { .. }));
        for zone in ["Mars/Olympus", "../../etc/passwd", "Europe/Berlin\u{1b}"] {
            let error = bad(&format!("Mon 08:00-18:00 {zone}"));
            assert!(matches!(error, BadHours::Zone { .. }), "{zone}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
        assert_eq!(bad(&"daily 00:00-24:00 UTC;".repeat(16)), BadHours::TooMany);
    }

    #[test]
    fn closes_and_opens_by_the_clock_of_its_zone() {
        let hours = "Mon-Fri 08:00-18:00 Europe/Berlin";
        assert!(!inside(hours, "2026-11-23T06:59:59Z"));
        assert!(inside(hours, "2026-11-23T07:00:00Z"));
        assert!(!inside(hours, "2026-11-23T17:00:00Z"));
        assert!(!inside(hours, "2026-11-22T10:00:00Z"));
        assert!(inside(hours, "2026-07-20T06:00:00Z"), "summer time");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_begins_on() {
        let hours = "Fri 22:00-06:00 UTC";
        assert!(!inside(hours, "2026-11-27T05:00:00Z"));
        assert!(inside(hours, "2026-11-27T22:00:00Z"));
        assert!(inside(hours, "2026-11-28T05:59:00Z"));
        assert!(!inside(hours, "2026-11-28T22:00:00Z"));
    }

    #[test]
    fn several_windows_and_lists_of_days() {
        let hours = "Mon,Wed 08:00-09:00 UTC; Sat-Sun 00:00-24:00 UTC";
        assert!(!inside(hours, "2026-11-24T08:30:00Z"));
        assert!(inside(hours, "2026-11-25T08:30:00Z"));
        assert!(inside(hours, "2026-11-29T23:59:59Z"));
        assert!(inside("Sun-Mon 00:00-24:00 UTC", "2026-11-23T00:00:00Z"));
        assert!(!inside("Sun-Mon 00:00-24:00 UTC", "2026-11-24T00:00:00Z"));
    }

    proptest! {
        #[test]
        fn a_window_and_its_rest_fill_the_day(
            from in 0_u32..1440, until in 0_u32..1440, at in 0_i64..4_000_000_000,
        ) {
            prop_assume!(from != until);
            let clock = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
            let (a, b) = (clock(from), clock(until));
            let hours: Hours = format!("daily {a}-{b} UTC").parse().unwrap();
            let rest: Hours = format!("daily {b}-{a} UTC").parse().unwrap();
            let at = Timestamp::from_micros(at * 1_000_000);
            prop_assert!(hours.contain(at) != rest.contain(at));
        }

        #[test]
        fn no_text_upsets_it(text in ".{0,60}") {
            let _ = text.parse::<Hours>();
        }
    }
}
