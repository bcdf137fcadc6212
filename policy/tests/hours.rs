//! Hours where the clock changes: the hour that does not exist, and the one that comes twice.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

use stint_policy::Hours;
use stint_proto::Timestamp;

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn inside(hours: &str, time: &str) -> bool {
    hours.parse::<Hours>().unwrap().contain(at(time))
}

/// When they begin next.
fn next(hours: &str, after: &str) -> Option<String> {
    hours.parse::<Hours>().unwrap().next_opening(at(after)).map(|at| at.to_string())
}

// In Berlin 02:00 to 03:00 does not exist on 2026-03-29: 00:59:59Z is 01:59:59, 01:00:00Z is 03:00.

#[test]
fn a_window_that_holds_the_missing_hour_is_an_hour_shorter() {
    let hours = "Sun 01:30-03:30 Europe/Berlin";
    assert!(!inside(hours, "2026-03-29T00:29:59Z"));
    assert!(inside(hours, "2026-03-29T00:30:00Z"));
    assert!(inside(hours, "2026-03-29T00:59:59Z"));
    assert!(inside(hours, "2026-03-29T01:00:00Z"), "03:00");
    assert!(inside(hours, "2026-03-29T01:29:59Z"));
    assert!(!inside(hours, "2026-03-29T01:30:00Z"), "03:30");
}

#[test]
fn a_window_within_the_missing_hour_is_skipped() {
    let hours = "Sun 02:00-03:00 Europe/Berlin";
    for minute in 0..180 {
        let start = at("2026-03-29T00:00:00Z").micros();
        let point = Timestamp(start + minute * 60_000_000);
        assert!(!hours.parse::<Hours>().unwrap().contain(point), "{point}");
    }
    assert!(inside(hours, "2026-04-05T00:30:00Z"), "the week after");
    let week_after = Some("2026-04-05T00:00:00.000Z".to_owned());
    assert_eq!(next(hours, "2026-03-28T12:00:00Z"), week_after);
}

#[test]
fn a_window_that_begins_in_the_missing_hour_begins_after_it() {
    let hours = "Sun 02:30-06:00 Europe/Berlin";
    assert!(!inside(hours, "2026-03-29T00:59:59Z"));
    assert!(inside(hours, "2026-03-29T01:00:00Z"));
    let opening = next(hours, "2026-03-28T12:00:00Z").unwrap();
    assert!(inside(hours, &opening), "{opening}");
    assert_eq!(&opening[..10], "2026-03-29");
}

// In Berlin 02:00 to 03:00 comes twice on 2026-10-25: from 00:00:00Z and from 01:00:00Z.

#[test]
fn the_doubled_hour_counts_both_times() {
    let hours = "Sun 02:00-03:00 Europe/Berlin";
    assert!(!inside(hours, "2026-10-24T23:59:59Z"));
    for time in ["00:00:00", "00:59:59", "01:00:00", "01:59:59"] {
        assert!(inside(hours, &format!("2026-10-25T{time}Z")), "{time}");
    }
    assert!(!inside(hours, "2026-10-25T02:00:00Z"));
    // What ends within it is open twice, and what begins within it too.
    let before = "Sun 00:00-02:30 Europe/Berlin";
    assert!(!inside(before, "2026-10-25T00:30:00Z"));
    assert!(inside(before, "2026-10-25T01:00:00Z"));
    assert!(!inside(before, "2026-10-25T01:30:00Z"));
    let opening = next(hours, "2026-10-24T12:00:00Z");
    assert_eq!(opening, Some("2026-10-25T00:00:00.000Z".to_owned()));
}

#[test]
fn the_next_opening_is_the_first_of_all_windows() {
    let hours = "Mon-Fri 08:00-18:00 Europe/Berlin; Sat 22:00-02:00 UTC";
    let opens = |after: &str| next(hours, after).unwrap();
    assert_eq!(opens("2026-11-23T10:00:00Z"), "2026-11-24T07:00:00.000Z");
    assert_eq!(opens("2026-11-27T18:00:00Z"), "2026-11-28T22:00:00.000Z");
    assert_eq!(opens("2026-11-29T12:00:00Z"), "2026-11-30T07:00:00.000Z");
    assert_eq!(
        next("Mon 08:00-09:00 UTC", "2026-11-23T08:00:00Z").unwrap(),
        "2026-11-30T08:00:00.000Z"
    );
}
