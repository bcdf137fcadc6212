//! A review of made-up people, and what becomes of what they typed.

use stint_proto::{
    Attestation, EligibleEntry, EligibleUser, EndReason, GrantState, Link, Origin, PastApproval,
    Residue, ReviewWord, ReviewedGrant, Timestamp,
};

use super::model::{Period, Review};
use super::{document, page, text};
use crate::look::grants::{Here, tests::example};

const HOSTILE: &str = "\"><img src=x onerror=alert(1)> \u{202e}<script>alert(2)</script> &amp;";
const HOUR: i64 = 3_600_000_000;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn review() -> Review {
    let period = Period { from: time("2026-09-01T00:00:00Z"), until: time("2026-11-30T00:00:00Z") };
    Review::new("web-1".to_owned(), period, 3)
}

fn here() -> Here {
    Here { now: time("2026-11-30T00:00:00Z"), zone: jiff::tz::TimeZone::UTC }
}

/// A grant of an hour that began so many hours into the period.
fn held(id: &str, user: &str, role: &str, hours: i64, origin: Origin) -> ReviewedGrant {
    let start = Timestamp(review().period.from.micros() + hours * HOUR);
    let end = Timestamp(start.micros() + HOUR);
    let mut grant = example();
    grant.id = id.parse().unwrap();
    grant.user = user.parse().unwrap();
    grant.role = role.parse().unwrap();
    (grant.starts_at, grant.expires_at) = (start, end);
    (grant.state, grant.ended_at) = (GrantState::Ended, Some(end));
    (grant.end_reason, grant.origin) = (Some(EndReason::Expired), origin);
    ReviewedGrant {
        grant,
        approvals: Vec::new(),
        reviewed_at: None,
        review_note: None,
        attested: None,
    }
}

fn entry(role: &str, who: &str, users: &[&str]) -> EligibleEntry {
    let users = users.iter().map(|user| user.parse().unwrap());
    EligibleEntry {
        role: role.parse().unwrap(),
        break_glass: false,
        who: who.to_owned(),
        path: "/etc/stint/policy.toml".to_owned(),
        line: 14,
        known: Some(true),
        users: users.map(|user| EligibleUser { user, attested: None }).collect(),
        attested: None,
    }
}

fn link(seq: i64, event: &str, fields: &str) -> Link {
    Link {
        seq,
        at: time("2026-10-01T00:00:00Z"),
        boot_id: String::new(),
        event: event.to_owned(),
        message: HOSTILE.to_owned(),
        fields: fields.to_owned(),
        hash: Vec::new(),
    }
}

fn word(note: &str) -> Option<Attestation> {
    Some(Attestation {
        word: ReviewWord::Keep,
        by: "carol".into(),
        at: time("2026-10-02T00:00:00Z"),
        note: note.into(),
        grant: None,
        who: "%leads".into(),
        role: "admin".parse().unwrap(),
        mend: None,
    })
}

/// Everything that a review can have in it, and hostile words wherever somebody could type some.
fn full() -> Review {
    let mut review = review();
    review.eligible = vec![
        entry("admin", "%engineers", &["alice", "bob", "carol"]),
        entry("admin", "%leads", &["carol"]),
        entry("backup", "mallory", &[]),
    ];
    review.eligible[1].attested = word(HOSTILE);
    review.eligible[2].known = Some(false);
    review.eligible[2].path = HOSTILE.to_owned();
    for number in 0..4 {
        let id = ["g2aa", "g3aa", "g4aa", "g5aa"][number];
        let hours = i64::try_from(number).unwrap() * 24;
        let mut one = held(id, "alice", "admin", hours, Origin::Request);
        one.grant.reason = HOSTILE.to_owned();
        one.grant.ticket = Some(HOSTILE.to_owned());
        one.approvals = vec![PastApproval {
            user: "bob".parse().unwrap(),
            at: one.grant.starts_at,
            note: Some(HOSTILE.to_owned()),
        }];
        review.take_grant(one);
    }
    let mut loud = held("g6aa", "bob", "rescue", 200, Origin::BreakGlass);
    loud.grant.residue = Some(Residue {
        since: loud.grant.starts_at,
        late: false,
        until: loud.grant.expires_at,
        files: 1,
        micros: 1,
        count: 1,
        found: Vec::new(),
        unseen: vec![HOSTILE.to_owned()],
    });
    review.take_grant(loud);
    let mut reviewed = held("g7aa", "bob", "rescue", 300, Origin::BreakGlass);
    reviewed.grant.reviewed_by = Some(HOSTILE.to_owned());
    (reviewed.reviewed_at, reviewed.review_note) =
        (Some(reviewed.grant.expires_at), Some(HOSTILE.to_owned()));
    reviewed.attested = word(HOSTILE);
    review.take_grant(reviewed);
    review.take_link(&link(1, "group.drift", "{\"STINT_USER\":\"alice\"}"));
    review
}

#[test]
fn what_is_counted_is_of_the_time_alone_and_a_link_may_stand_for_many() {
    let mut review = review();
    review.take_link(&link(1, "check.denied", "{\"STINT_COUNT\":\"40\"}"));
    review.take_link(&link(2, "check.denied", "{}"));
    review.take_link(&link(3, "check.allowed", "{\"STINT_DECISION\":\"observed\"}"));
    review.take_link(&link(4, "check.allowed", "["));
    review.take_link(&link(5, "no.such", "{}"));
    for at in ["2026-08-31T23:59:59Z", "2026-11-30T00:00:00Z"] {
        review.take_link(&Link { at: time(at), ..link(6, "check.denied", "{}") });
    }
    let counts = review.counts;
    assert_eq!((counts.denied, counts.observed, counts.allowed), (41, 1, 1));
}

#[test]
fn time_held_counts_once_and_only_within_the_period() {
    let mut review = review();
    for (id, hours) in [("g2aa", -2), ("g3aa", 0), ("g4aa", 0), ("g5aa", 10)] {
        review.take_grant(held(id, "alice", "admin", hours, Origin::Admin));
    }
    let mut later = held("g6aa", "alice", "admin", 0, Origin::Admin);
    later.grant.starts_at = review.period.until;
    review.take_grant(later);
    let pair = review.pairs.values().next().unwrap();
    assert_eq!((pair.grants, pair.held), (4, 2 * HOUR));
}

#[test]
fn often_is_within_seven_days_and_not_over_all() {
    let mut review = review();
    for (number, hours) in [0, 24, 191, 192, 193].into_iter().enumerate() {
        let id = ["g2aa", "g3aa", "g4aa", "g5aa", "g6aa"][number];
        review.take_grant(held(id, "alice", "admin", hours, Origin::Request));
        let often = review.too_often().len();
        assert_eq!(often, usize::from(number == 4), "after {hours} hours");
    }
    assert_eq!(review.too_often()[0].2.most, 3);
}

#[test]
fn eligibility_is_used_by_asking_and_by_nothing_else() {
    let mut review = review();
    review.eligible = vec![entry("admin", "%engineers", &["alice", "bob"])];
    review.take_grant(held("g2aa", "alice", "admin", 1, Origin::Admin));
    assert_eq!((review.unused().len(), review.partly_used().len()), (1, 0));
    assert_eq!(text::usage(&review, &review.eligible[0]), "by none of 2: alice, bob");
    review.take_grant(held("g3aa", "alice", "admin", 2, Origin::Request));
    assert_eq!((review.unused().len(), review.partly_used().len()), (0, 1));
    assert_eq!(text::usage(&review, &review.eligible[0]), "by 1 of 2: bob");
    let mut unknown = entry("admin", "%ldap", &[]);
    unknown.known = None;
    review.eligible.push(unknown);
    assert!(review.unused().is_empty(), "nobody is told to remove what could not be looked up");
    assert!(text::gaps(&review, &here().zone)[0].contains("is not judged"));
}

#[test]
fn a_great_many_grants_are_counted_and_the_newest_are_kept() {
    let mut review = review();
    let mut first = held("g2aa", "bob", "rescue", 0, Origin::BreakGlass);
    first.grant.reason = "the first".to_owned();
    review.take_grant(first);
    for _ in 0..25_000 {
        review.take_grant(held("g3aa", "alice", "admin", 1, Origin::Request));
    }
    assert_eq!((review.total, review.grants().count()), (25_001, 20_001));
    assert_eq!(review.more_grants(), 5_000);
    assert_eq!(review.emergencies()[0].grant.reason, "the first", "what matters stays");
}

#[test]
fn a_terminal_is_shown_what_asks_for_a_decision_and_nothing_that_moves_its_cursor() {
    let shown = text::text(&full(), &here().zone);
    let shown = anstream::adapter::strip_str(&shown).to_string();
    assert!(shown.lines().all(|line| line.chars().all(stint_policy::text::is_harmless)));
    for wanted in [
        "Access review of web-1, 2026-09-01 00:00 to 2026-11-30 00:00",
        "  6 grants, held by 2 people for 6 h 00 altogether; 0 run now",
        "  take \"%leads\" out of roles.admin.eligible (/etc/stint/policy.toml:14)",
        "3 times or more in 7 days is as good as having it for ever",
        "nobody yet: stint review g6aa --note TEXT",
        "Changed outside stint",
        "there is no such account or group on this host",
    ] {
        assert!(shown.contains(wanted), "{wanted}\n{shown}");
    }
    let empty = text::text(&review(), &here().zone);
    assert!(empty.contains("Nothing here asks for a decision."), "{empty}");
}

#[test]
fn the_record_may_begin_later_than_was_asked_for() {
    let mut review = review();
    assert!(text::gaps(&review, &here().zone).is_empty());
    review.begins = Some(time("2026-10-05T08:00:00Z"));
    let said = text::gaps(&review, &here().zone).remove(0);
    assert_eq!(
        said,
        "The record begins 2026-10-05 08:00: before that there was none on this host."
    );
    review.cut = true;
    let said = text::gaps(&review, &here().zone).remove(0);
    assert!(
        said.starts_with("The record begins 2026-10-05 08:00: what was before was cut off it.")
    );
}

#[test]
fn a_document_has_the_fields_that_are_promised() {
    let document = document::document(&full());
    for field in
        "host from until record_begins record_cut often summary holders too_often eligible \
                  grants more_grants outside more_outside"
            .split_whitespace()
    {
        assert!(document.get(field).is_some(), "{field}");
    }
    let summary = &document["summary"];
    assert_eq!((&summary["grants"], &summary["holders"]), (&6.into(), &2.into()));
    assert_eq!(
        (&summary["held_seconds"], &summary["break_glass_unreviewed"]),
        (&21_600.into(), &1.into())
    );
    assert_eq!(document["too_often"][0]["most_in_7_days"], 4);
    assert_eq!(document["eligible"][0]["users"][0]["used"], true);
    assert_eq!(document["eligible"][1]["attested"]["by"], "carol");
    let grant = &document["grants"][0];
    assert_eq!(
        (&grant["held_seconds"], &grant["approved"][0]["user"]),
        (&3_600.into(), &"bob".into())
    );
    assert_eq!(grant["reason"], HOSTILE, "a program is shown what was typed");
    assert_eq!(document["outside"][0]["link"], 1);
}

#[test]
fn a_page_escapes_everything_and_asks_for_nothing_from_elsewhere() {
    let page = page::page(&full(), &here()).unwrap();
    for forbidden in
        ["<script", "<img", "onerror=alert(1)>", "http:", "https:", "url(", "@import", "javascript"]
    {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(
        page.chars().all(|c| c == '\n' || stint_policy::text::is_harmless(c)),
        "bidi marks and the like"
    );
    assert!(page.contains("&#60;script&#62;alert(2)&#60;/script&#62; &#38;amp;"), "shown as typed");
    assert!(page.contains("default-src 'none'"));
    let count = |what: &str| page.matches(what).count();
    assert_eq!(count("<rect class=\"request\" x="), 4 + 1, "a bar a grant, and one in the legend");
    assert_eq!(count("<rect class=\"emergency\" x="), 2 + 1);
    assert_eq!(count("<use href=\"#m-approval\""), 4 + 1);
}
