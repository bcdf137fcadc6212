//! Points in time as people type them. Reads no clock: now and the zone come in.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;
use stint_policy::text::quoted;
use stint_proto::{Length, Timestamp};

/// A text that is no point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadWhen(String);

impl fmt::Display for BadWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
             2026-12-01T09:00:00Z",
            quoted(&self.0)
        )
    }
}

/// Reads `14:30` (today), `2026-12-01 09:00` (both in `zone`), `+30m`, or RFC 3339.
///
/// # Errors
/// When it is none of them.
pub fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, BadWhen> {
    let bad = || BadWhen(text.to_owned());
    if let Some(length) = text.strip_prefix('+') {
        let length: Length = length.parse().map_err(|_| bad())?;
        return now.checked_add(length).ok_or_else(bad);
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let local = match text.parse::<civil::DateTime>() {
        Ok(local) if text.contains(':') => local,
        _ => {
            let time = civil::Time::strptime("%H:%M", text).map_err(|_| bad())?;
            let now = jiff::Timestamp::from_microsecond(now.micros()).map_err(|_| bad())?;
            now.to_zoned_datetime(zone.clone()).date().to_datetime(time)
        }
    };
    let time = local.to_zoned_datetime(zone.clone()).map_err(|_| bad())?;
    Ok(Timestamp::from_micros(time.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, BadWhen> {
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        parse(text, now, &zone).map(|time| time.to_string())
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "soon", "25:00", "2026-13-01 09:00", "2026-12-01", "+", "+0m", "-30m"] {
            assert!(read(text).is_err(), "{text} {:?}", read(text));
        }
        assert_eq!(
            read("so\u{1b}on").unwrap_err().to_string(),
            "\"so\\u{1b}on\" is no time: write it such as 14:30, +30m, \"2026-12-01 09:00\" or \
             2026-12-01T09:00:00Z"
        );
    }

    #[test]
    fn reads_local_relative_and_exact_times() {
        assert_eq!(read("14:30").unwrap(), "2026-11-23T13:30:00.000Z");
        assert_eq!(read("2026-12-01 09:00").unwrap(), "2026-12-01T08:00:00.000Z");
        assert_eq!(read("+1h30m").unwrap(), "2026-11-23T13:30:00.000Z");
        assert_eq!(read("2026-12-01T09:00:00Z").unwrap(), "2026-12-01T09:00:00.000Z");
    }
}
