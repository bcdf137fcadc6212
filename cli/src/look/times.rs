//! Times as the person's clock shows them, with what is left.

use jiff::tz::TimeZone;
use stint_proto::Timestamp;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A length of time in words: `45 s`, `28 min`, `1 h 56`, `2 d 3 h`. Of a minute and more, what is
/// begun does not count.
pub fn length(micros: i64) -> String {
    let seconds = micros.max(0) / 1_000_000;
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h {:02}", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
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
            (28 * 60 + 59, "28 min"),
            (6_960, "1 h 56"),
            (3_660, "1 h 01"),
            (183_600, "2 d 3 h"),
        ] {
            assert_eq!(length(seconds * 1_000_000), text);
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
