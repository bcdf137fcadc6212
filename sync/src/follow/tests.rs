//! A server, a stintd and a clock that are values: what is asked and told over many looks.

use proptest::prelude::*;

use super::*;

const MINUTE: u64 = 60;

fn follower() -> Follower {
    Follower::new(Length::from_seconds(MINUTE).unwrap())
}

fn at(minutes: u64) -> Duration {
    Duration::from_secs(minutes * MINUTE)
}

fn tag(name: &str) -> Option<Tag> {
    Tag::new(&format!("\"{name}\""))
}

fn delivered(name: &str, outcome: Outcome) -> End {
    End::Delivered { tag: tag(name), outcome }
}

fn refused() -> Outcome {
    Outcome::Refused("it is signed by nobody".to_owned())
}

#[test]
fn what_cannot_be_sent_back_is_no_tag() {
    let long = format!("\"{}\"", "a".repeat(TAG_LIMIT));
    for text in ["", "\"", "abc", "\"a", "W/", "W/\"", "\"a b\"", "\"a\"\r\nX: y", &long] {
        assert_eq!(Tag::new(text), None, "{text:?}");
    }
    for text in ["\"\"", "\"69ab-1f\"", "W/\"69ab\""] {
        assert_eq!(Tag::new(text).unwrap().as_str(), text);
    }
}

#[test]
fn a_tag_is_sent_only_of_what_stintd_has_taken_and_a_whole_document_is_asked_for_every_hour() {
    let mut follower = follower();
    assert_eq!(follower.tag(at(0)), None);
    follower.ended(delivered("bad", refused()), at(0));
    assert_eq!(follower.tag(at(0)), None);
    follower.ended(delivered("one", Outcome::Taken("serial 1".to_owned())), at(1));
    assert_eq!(follower.tag(at(2)), tag("one").as_ref());
    follower.ended(End::Failed("down".to_owned()), at(3));
    assert_eq!(follower.tag(at(4)), tag("one").as_ref(), "the server's trouble is not stintd's");
    assert_eq!(follower.tag(at(61)), None);
    follower.ended(delivered("one", Outcome::Known), at(61));
    assert_eq!(follower.tag(at(62)), tag("one").as_ref());
    follower.ended(delivered("two", Outcome::Away("it is gone".to_owned())), at(63));
    assert_eq!(follower.tag(at(63)), None);
    follower.ended(delivered("two", Outcome::Known), at(64));
    follower.ended(delivered("bad", refused()), at(65));
    assert_eq!(follower.tag(at(65)), None);
}

#[test]
fn a_trouble_is_told_once_its_end_too_and_stintd_hears_of_it_again_every_hour() {
    let mut follower = follower();
    let down = || End::Failed("connection refused".to_owned());
    let first = follower.ended(down(), at(0));
    assert!(first.news && !first.well);
    assert_eq!(first.report.as_deref(), Some("connection refused"));
    for minute in 1..60 {
        let again = follower.ended(down(), at(minute));
        assert!(!again.news && again.report.is_none(), "{again:?}");
    }
    let still = follower.ended(down(), at(60));
    assert!(!still.news && still.report.is_some());
    let other = follower.ended(End::Failed("it is full".to_owned()), at(61));
    assert!(other.news && other.report.is_some());
    let over = follower.ended(End::Unchanged, at(62));
    assert_eq!((over.news, over.report.as_deref()), (true, Some("")));
    assert_eq!(over.line, "it is well again");
    assert!(!follower.ended(End::Unchanged, at(63)).news);
    let down_again = follower.ended(down(), at(64));
    assert!(down_again.news && down_again.report.is_some());
}

#[test]
fn a_document_that_stintd_refuses_is_told_once_and_never_asked_for_in_a_tight_loop() {
    let mut follower = follower();
    let mut waited = Duration::ZERO;
    for look in 0..20 {
        let told = follower.ended(delivered("bad", refused()), waited);
        assert_eq!(told.news, look == 0);
        assert_eq!(told.report, None, "stintd knows what it refused");
        waited += follower.pause(0);
    }
    assert!(waited > at(180), "{waited:?}");
    let good = follower.ended(delivered("good", Outcome::Taken("serial 2".to_owned())), waited);
    assert!(good.news && good.well);
    assert!(follower.pause(u32::MAX) < at(2));
}

fn any_end() -> impl Strategy<Value = End> {
    let text = prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned);
    let outcome = prop_oneof![
        text.clone().prop_map(Outcome::Taken),
        Just(Outcome::Known),
        text.clone().prop_map(Outcome::Refused),
        text.clone().prop_map(Outcome::Failed),
        text.clone().prop_map(Outcome::Away),
    ];
    prop_oneof![
        text.clone().prop_map(End::Failed),
        Just(End::Unchanged),
        (text, outcome).prop_map(|(name, outcome)| delivered(&name, outcome)),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_tags_are_of_what_is_held_and_nothing_is_told_twice(
        ends in prop::collection::vec((any_end(), 0_u64..40), 0..60),
    ) {
        let mut follower = follower();
        let mut held: Option<Tag> = None;
        let mut last: Option<(String, bool)> = None;
        let mut minute = 0;
        for (end, later) in ends {
            minute += later;
            if let End::Delivered { tag, outcome } = &end {
                let good = matches!(outcome, Outcome::Taken(_) | Outcome::Known);
                held = if good { tag.clone() } else { None };
            }
            let taken = matches!(&end, End::Delivered { outcome: Outcome::Taken(_), .. });
            let told = follower.ended(end, at(minute));
            prop_assert!(follower.tag(at(minute)).is_none() || follower.tag(at(minute)) == held.as_ref());
            let same = last.as_ref().is_some_and(|(line, well)| {
                (!well && *line == told.line) || (*well && told.well)
            });
            prop_assert_eq!(told.news, taken || !(same || (last.is_none() && told.well)));
            prop_assert!(!told.line.is_empty());
            last = Some((told.line, told.well));
        }
    }

    #[test]
    fn the_first_look_is_within_seconds(chance: u32) {
        prop_assert!(first_pause(chance) < Duration::from_secs(5));
    }
}
