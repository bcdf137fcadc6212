//! Times as the person's clock shows them, with what is left.

use jiff::tz::TimeZone;
use stint_proto::Timestamp;

/// In microseconds; the others are in seconds.
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of time in words: `45 s`, `28 min`, `1 h 56`, `2 d 3 h`.
///
/// Rounded to the nearest second, or from a minute on to the nearest minute, so that what was just
/// given for 20 minutes reads `20 min`, and no text claims over half a minute more than there is.
/// From a day on, hours that are not whole do not count.
pub fn length(micros: i64) -> String {
    let nearest = |unit: i64| micros.max(0).saturating_add(unit * SECOND / 2) / (unit * SECOND);
    let (seconds, minutes) = (nearest(1), nearest(MINUTE));
    match minutes * MINUTE {
        _ if seconds < MINUTE => format!("{seconds} s"),
        0..HOUR => format!("{minutes} min"),
        rounded @ HOUR..DAY => format!("{} h {:02}", rounded / HOUR, rounded % HOUR / MINUTE),
        rounded => format!("{} d {} h", rounded / DAY, rounded % DAY / HOUR),
    }
}

/// The clock's time, with its date where that is not today's.
pub fn clock(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let zoned = |time: Timestamp| {
        let time = jiff::Timestamp::from_microsecond(time.micros());
        time.map(|time| time.to_zoned_datetime(zone.clone()))
    };
    match (zoned(time), zoned(now)) {
        (Ok(time), Ok(now)) if time.date() == now.date() => time.strftime("%H:%M").to_string(),
        (Ok(time), _) => time.strftime("%Y-%m-%d %H:%M").to_string(),
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_people_say_them() {
        for (seconds, text) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (28 * 60, "28 min"),
            (6_960, "1 h 56"),
            (3_660, "1 h 01"),
            (183_600, "2 d 3 h"),
        ] {
            assert_eq!(length(seconds * SECOND), text);
        }
    }

    #[test]
    fn what_was_just_given_reads_as_it_was_given() {
        for (seconds, text) in [
            (30, "30 s"),
            (60, "1 min"),
            (20 * 60, "20 min"),
            (HOUR, "1 h 00"),
            (90 * 60, "1 h 30"),
            (DAY, "1 d 0 h"),
            (2 * DAY, "2 d 0 h"),
        ] {
            assert_eq!(length(seconds * SECOND - SECOND / 5), text);
        }
    }

    #[test]
    fn no_more_is_said_than_half_a_minute_more_than_there_is() {
        for (micros, text) in [
            (SECOND / 2 - 1, "0 s"),
            (59 * SECOND + SECOND / 2 - 1, "59 s"),
            (59 * SECOND + SECOND / 2, "1 min"),
            (90 * SECOND - 1, "1 min"),
            (90 * SECOND, "2 min"),
            ((19 * 60 + 30) * SECOND - 1, "19 min"),
            ((59 * 60 + 30) * SECOND - 1, "59 min"),
            ((59 * 60 + 30) * SECOND, "1 h 00"),
            ((HOUR + 30) * SECOND - 1, "1 h 00"),
            ((DAY - 30) * SECOND - 1, "23 h 59"),
            ((DAY + HOUR - 30) * SECOND - 1, "1 d 0 h"),
            (i64::MAX, "106751991 d 4 h"),
        ] {
            assert_eq!(length(micros), text, "{micros}");
        }
    }

    #[test]
    fn a_date_is_shown_where_it_is_not_todays() {
        let now = "2026-11-23T23:30:00Z".parse().unwrap();
        let later = "2026-11-24T00:10:00Z".parse().unwrap();
        assert_eq!(clock(later, now, &TimeZone::UTC), "2026-11-24 00:10");
        assert_eq!(clock(later, now, &TimeZone::fixed(jiff::tz::offset(1))), "01:10");
    }
}
