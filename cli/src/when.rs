//! Points in time as people type them. Reads no clock: now and the zone come in.

use std::fmt;

use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use stint_policy::text::quoted;
use stint_proto::{Length, Timestamp};

/// Why a text is no point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadWhen {
    /// It does not read as one.
    Unreadable(String),
    /// It does not read as one of the past.
    NotPast(String),
    /// It is yet to come, where a time of the past is asked for.
    Ahead(String),
    /// The zone that it names is none.
    NoSuchZone(String),
    /// It names no zone, and the one of the clock is not known.
    NoZone,
    /// The clock is set forward past it.
    LeftOut(String),
    /// The clock is set back, and shows it twice: the two times that it may be.
    Twice(String, [String; 2]),
}

impl fmt::Display for BadWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(
                f,
                "{} is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
                 2026-12-01T09:00:00Z",
                quoted(text)
            ),
            Self::NotPast(text) => write!(
                f,
                "{} is no time: write it such as 30d (ago), 2026-11-01, \"2026-11-01 09:00\" or \
                 2026-11-01T09:00:00Z",
                quoted(text)
            ),
            Self::Ahead(text) => write!(f, "{} is yet to come", quoted(text)),
            Self::NoSuchZone(name) => {
                write!(f, "{} is no time zone: write it such as Europe/Berlin", quoted(name))
            }
            Self::NoZone => write!(
                f,
                "the time zone is not known, as TZ names none: write the time such as +30m or \
                 2026-12-01T09:00:00Z"
            ),
            Self::LeftOut(text) => write!(
                f,
                "there is no {}: the clock is set forward past it; write the hour before or after",
                quoted(text)
            ),
            Self::Twice(text, [first, second]) => write!(
                f,
                "{} comes twice, as the clock is set back: write {first} or {second}",
                quoted(text)
            ),
        }
    }
}

/// Reads `14:30` (today), `2026-12-01 09:00` (both in `zone`, or in one that is named behind, as
/// in `14:30 Europe/Berlin`), `+30m`, or RFC 3339.
///
/// # Errors
/// When it is none of them, or no time of that zone's clock, or two.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, BadWhen> {
    let bad = || BadWhen::Unreadable(text.to_owned());
    if let Some(length) = text.strip_prefix('+') {
        let length: Length = length.parse().map_err(|_| bad())?;
        return now.checked_add(length).ok_or_else(bad);
    }
    let Some((time, name)) = zone_of(text) else {
        return match text.parse::<Timestamp>() {
            Ok(time) => Ok(time),
            Err(_) => local(text, now, zone),
        };
    };
    match TimeZone::get(name) {
        Ok(zone) if !zone.is_unknown() => local(time, now, &zone),
        _ => Err(BadWhen::NoSuchZone(name.to_owned())),
    }
}

/// The same for a time of the past: `30d` is that long ago, and a day alone its beginning.
///
/// # Errors
/// As [`parse`], and when it is yet to come.
pub fn past(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, BadWhen> {
    if let Ok(length) = text.parse::<Length>() {
        return Ok(Timestamp(now.micros().saturating_sub(length.micros())));
    }
    let bad = || BadWhen::NotPast(text.to_owned());
    let time = match civil::Date::strptime("%Y-%m-%d", text) {
        // A day's beginning is a time even where the clock is set forward past midnight.
        Ok(_) if zone.is_unknown() => return Err(BadWhen::NoZone),
        Ok(day) => day
            .to_zoned_datetime(zone.clone())
            .map(|start| Timestamp(start.timestamp().as_microsecond()))
            .map_err(|_| bad())?,
        Err(_) => parse(text, now, zone).map_err(|error| match error {
            BadWhen::Unreadable(_) => bad(),
            other => other,
        })?,
    };
    if time > now { Err(BadWhen::Ahead(text.to_owned())) } else { Ok(time) }
}

/// A zone that is named behind a time: `09:00 Europe/Berlin`, `09:00[Europe/Berlin]`.
fn zone_of(text: &str) -> Option<(&str, &str)> {
    let (time, name) = match text.strip_suffix(']') {
        Some(text) => text.split_once('[')?,
        None => text.rsplit_once(' ')?,
    };
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some((time.trim_end(), name))
}

/// A time as the clock of the zone shows it.
fn local(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, BadWhen> {
    let bad = || BadWhen::Unreadable(text.to_owned());
    let formats = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let dated = formats.iter().find_map(|form| civil::DateTime::strptime(form, text).ok());
    let local = match dated {
        Some(local) => local,
        None => {
            let time = civil::Time::strptime("%H:%M", text).map_err(|_| bad())?;
            let now = jiff::Timestamp::from_microsecond(now.micros()).map_err(|_| bad())?;
            now.to_zoned_datetime(zone.clone()).date().to_datetime(time)
        }
    };
    if zone.is_unknown() {
        return Err(BadWhen::NoZone);
    }
    let found = zone.to_ambiguous_zoned_datetime(local);
    match found.offset() {
        AmbiguousOffset::Gap { .. } => return Err(BadWhen::LeftOut(text.to_owned())),
        AmbiguousOffset::Fold { before, after } => {
            let exact = |offset: Offset| {
                let seconds = offset.seconds();
                let (sign, seconds) = if seconds < 0 { ('-', -seconds) } else { ('+', seconds) };
                let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
                format!("{}{sign}{hours:02}:{minutes:02}", local.strftime("%Y-%m-%dT%H:%M:%S"))
            };
            return Err(BadWhen::Twice(text.to_owned(), [before, after].map(exact)));
        }
        AmbiguousOffset::Unambiguous { .. } => {}
    }
    let time = found.unambiguous().map_err(|_| bad())?;
    Ok(Timestamp::from_micros(time.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn read(text: &str) -> Result<String, BadWhen> {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        parse(text, now(), &zone).map(|time| time.to_string())
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "soon",
            "25:00",
            "2026-13-01 09:00",
            "2026-12-01",
            "+",
            "+0m",
            "-30m",
            "2026-02-29 09:00",
            "24:00",
            "2026-12-01 09:00 +1",
            "[UTC]",
            "+30m UTC",
            "2026-12-01T09:00:00Z UTC",
        ] {
            assert!(matches!(read(text), Err(BadWhen::Unreadable(_))), "{text} {:?}", read(text));
        }
        assert_eq!(
            read("so\u{1b}on").unwrap_err().to_string(),
            "\"so\\u{1b}on\" is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
             2026-12-01T09:00:00Z"
        );
    }

    #[test]
    fn refuses_a_zone_that_is_none() {
        for text in ["14:30 Nowhere/City", "2026-12-01 09:00[Nowhere/City]"] {
            assert_eq!(
                read(text).unwrap_err().to_string(),
                "\"Nowhere/City\" is no time zone: write it such as Europe/Berlin"
            );
        }
        assert_eq!(parse("14:30", now(), &TimeZone::unknown()), Err(BadWhen::NoZone));
        assert_eq!(past("2026-11-01", now(), &TimeZone::unknown()), Err(BadWhen::NoZone));
        assert!(parse("+30m", now(), &TimeZone::unknown()).is_ok());
    }

    #[test]
    fn refuses_an_hour_that_is_left_out_or_comes_twice() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let read = |text: &str| parse(text, now(), &berlin).map(|time| time.to_string());
        assert_eq!(
            read("2026-03-29 02:30").unwrap_err().to_string(),
            "there is no \"2026-03-29 02:30\": the clock is set forward past it; write the hour \
             before or after"
        );
        assert_eq!(
            read("2026-10-25 02:30").unwrap_err().to_string(),
            "\"2026-10-25 02:30\" comes twice, as the clock is set back: write \
             2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00"
        );
        assert_eq!(read("2026-03-29 03:00").unwrap(), "2026-03-29T01:00:00.000Z");
        assert_eq!(read("2026-03-29 01:59").unwrap(), "2026-03-29T00:59:00.000Z");
        assert_eq!(read("2026-10-25T02:30:00+02:00").unwrap(), "2026-10-25T00:30:00.000Z");
    }

    #[test]
    fn reads_local_relative_and_exact_times() {
        for (text, time) in [
            ("14:30", "2026-11-23T13:30:00.000Z"),
            ("14:30 UTC", "2026-11-23T14:30:00.000Z"),
            ("2026-12-01 09:00", "2026-12-01T08:00:00.000Z"),
            ("2026-12-01T09:00", "2026-12-01T08:00:00.000Z"),
            ("2026-12-01 09:00[UTC]", "2026-12-01T09:00:00.000Z"),
            ("+1h30m", "2026-11-23T13:30:00.000Z"),
            ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00.000Z"),
            ("2026-12-01T09:00:00+02:00", "2026-12-01T07:00:00.000Z"),
        ] {
            assert_eq!(read(text).unwrap(), time, "{text}");
        }
    }

    #[test]
    fn reads_how_long_ago() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let read = |text: &str| past(text, now(), &zone).map(|time| time.to_string());
        assert_eq!(read("2d").unwrap(), "2026-11-21T12:00:00.000Z");
        assert_eq!(read("2026-11-01").unwrap(), "2026-10-31T23:00:00.000Z");
        assert_eq!(read("2026-11-01 09:00").unwrap(), "2026-11-01T08:00:00.000Z");
        assert_eq!(
            read("yesterday").unwrap_err().to_string(),
            "\"yesterday\" is no time: write it such as 30d (ago), 2026-11-01, \
             \"2026-11-01 09:00\" or 2026-11-01T09:00:00Z"
        );
        for ahead in ["2026-11-24", "+1h", "2026-11-23 13:01"] {
            let said = format!("\"{ahead}\" is yet to come");
            assert_eq!(read(ahead).unwrap_err().to_string(), said);
        }
    }
}
