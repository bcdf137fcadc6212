//! Requests of the past under another policy.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

mod common;

use common::load;
use stint_policy::replay::replay;
use stint_proto::{PastRequest, Request, RequestState, Timestamp, Uid};

fn at(time: &str) -> Timestamp {
    format!("2026-11-23T{time}:00Z").parse().unwrap()
}

/// Asked for by alice, of %engineers, at 10:00; approved by one at 10:30 for an hour.
fn past(id: &str) -> PastRequest {
    let request = Request {
        id: id.parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: Uid(1000),
        role: "admin".parse().unwrap(),
        state: RequestState::Approved,
        duration: "1h".parse().unwrap(),
        starts_at: None,
        reason: "mend the disk".to_owned(),
        ticket: None,
        created_at: at("10:00"),
        lapses_at: at("23:00"),
        ended_at: Some(at("10:30")),
        approvals: vec!["bob".parse().unwrap()],
        approvals_needed: 1,
        approvers: vec!["bob".to_owned()],
        grant: id.replace('r', "g").parse().ok(),
        extends: None,
        ended_by: Some("bob".to_owned()),
        note: None,
        confers: Vec::new(),
        digest: String::new(),
    };
    PastRequest { request, groups: vec!["engineers".parse().unwrap()] }
}

fn told(rules: &str, past: &[PastRequest]) -> Vec<(String, bool)> {
    let text = format!("[roles.admin]\nservices = [\"su\"]\napprovers = [\"bob\"]\n{rules}");
    let policy = load(&text).unwrap().policy;
    let clock = |at: Timestamp| at.to_string()[11..16].to_owned();
    let replayed = replay(&policy, "web-1", past, &clock);
    replayed.iter().map(|one| (one.now.to_string(), one.differs())).collect()
}

const SAME: &str = "eligible = [\"%engineers\"]\n";

#[test]
fn what_another_policy_refuses_differs() {
    let refused = |rules: &str, why: &str| {
        assert_eq!(told(rules, &[past("r2")]), [(format!("refused: {why}"), true)]);
    };
    refused("eligible = [\"%leads\"]\n", "alice is not eligible for admin, only %leads (p.toml:4)");
    let rule = format!("{SAME}max_duration = \"30m\"\n");
    refused(&rule, "admin is given for at most 30m, not for 1h (p.toml:5)");
    let rule = format!("{SAME}reason = {{ min_length = 20 }}\n");
    refused(&rule, "the reason has 13 characters, and admin asks for at least 20 (p.toml:5)");
    let rule = format!("{SAME}hours = \"daily 08:00-10:15 UTC\"\n");
    let late = "10:30 is outside the hours of admin, daily 08:00-10:15 UTC; they begin again at \
                08:00 (p.toml:5)";
    refused(&rule, late);
}

#[test]
fn fewer_or_more_approvals_differ_and_the_same_do_not() {
    let told = |rule: &str| told(&format!("{SAME}{rule}"), &[past("r2")]);
    assert_eq!(told(""), [("needs one approval".to_owned(), false)]);
    assert_eq!(told("approvals = 2\n"), [("needs 2 approvals".to_owned(), true)]);
    assert_eq!(told("approvals = 0\n"), [("granted at once".to_owned(), true)]);
    assert_eq!(told("break_glass = true\n"), [("granted at once".to_owned(), true)]);
}

#[test]
fn what_was_not_granted_is_judged_as_it_was_asked_for() {
    let mut lapsed = past("r2");
    lapsed.request.state = RequestState::Lapsed;
    let rule = format!("{SAME}hours = \"daily 08:00-10:15 UTC\"\n");
    assert_eq!(told(&rule, &[lapsed]), [("needs one approval".to_owned(), false)]);
}

#[test]
fn more_time_is_judged_by_the_whole_grant() {
    let mut longer = past("r3");
    longer.request.extends = "g2".parse().ok();
    longer.request.grant = "g2".parse().ok();
    longer.request.created_at = at("11:00");
    let mut again = longer.clone();
    again.request.created_at = at("11:10");
    let three = [again, longer.clone(), past("r2")];
    let rule = format!("{SAME}max_duration = \"2h\"\n");
    let fine = ("needs one approval".to_owned(), false);
    let refused = "refused: admin is held for at most 2h in one go, and this grant has all of it \
                   (p.toml:5)";
    assert_eq!(told(&rule, &three), [fine.clone(), fine, (refused.to_owned(), true)]);
    let unknown = "not known: the grant it would extend is older".to_owned();
    assert_eq!(told(&rule, &[longer]), [(unknown, false)]);
}
