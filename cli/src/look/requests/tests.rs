//! How requests look.

use jiff::tz::TimeZone;
use stint_proto::Length;

use super::*;

/// A request to show.
pub fn example() -> Request {
    let time = |text: &str| text.parse().unwrap();
    Request {
        id: "7kq2".parse().unwrap(),
        user: "alice".parse().unwrap(),
        uid: stint_proto::Uid(1000),
        role: "db-restore".parse().unwrap(),
        state: RequestState::Pending,
        duration: Length::from_seconds(1800).unwrap(),
        starts_at: None,
        reason: "restore last night's dump".into(),
        ticket: None,
        created_at: time("2026-11-23T14:00:00Z"),
        lapses_at: time("2026-11-24T14:00:00Z"),
        ended_at: None,
        approvals: vec!["carol".parse().unwrap()],
        approvals_needed: 2,
        approvers: ["carol", "alice", "erin", "%leads"].map(str::to_owned).to_vec(),
        grant: None,
        extends: None,
        ended_by: None,
        note: None,
        confers: vec!["sudo (postgres) /usr/bin/pg_restore".into(), "group postgres".into()],
        digest: "d1".into(),
    }
}

fn here() -> Here {
    Here { now: "2026-11-23T14:03:30Z".parse().unwrap(), zone: TimeZone::UTC }
}

fn shown(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_pending_request_says_who_can_approve_it_and_under_which_id() {
    let mut request = example();
    assert_eq!(
        awaits(&request),
        "7kq2 awaits one more approval, from erin or %leads; approved by carol"
    );
    request.approvals.clear();
    request.approvers = vec!["bob".into(), "%leads".into()];
    assert_eq!(
        made(&request),
        "Your request 7kq2 for db-restore awaits 2 approvals, from bob or %leads.\n\
         Wait for it:  stint wait 7kq2"
    );
    request.approvals_needed = 1;
    request.extends = Some("g4t9".parse().unwrap());
    assert_eq!(
        made(&request),
        "Your request 7kq2 for 30m more of db-restore (g4t9) awaits one approval, from bob or \
         %leads.\nWait for it:  stint wait 7kq2"
    );
    assert_eq!(
        stands(&request, &here()),
        "7kq2 awaits one approval, from bob or %leads. It stands until 2026-11-24 14:00.\n\
         Wait on:  stint wait 7kq2    take it back:  stint cancel 7kq2"
    );
}

#[test]
fn an_end_says_by_whom_and_why() {
    let mut request = example();
    let says = |request: &Request| over(request, None, &here());
    request.ended_by = Some("bob".into());
    request.note = Some("not\u{1b}[2J today".into());
    request.state = RequestState::Denied;
    assert_eq!(says(&request), "bob denied 7kq2, the request for db-restore: not\\u{1b}[2J today");
    request.state = RequestState::Lapsed;
    assert_eq!(says(&request), "7kq2, the request for db-restore, has lapsed: not\\u{1b}[2J today");
    request.state = RequestState::Cancelled;
    assert_eq!(says(&request), "7kq2, the request for db-restore, was taken back by bob");
    request.state = RequestState::Approved;
    request.grant = Some("g4t9".parse().unwrap());
    assert_eq!(says(&request), "7kq2 was granted: db-restore for alice (g4t9).");
}

#[test]
fn a_grant_is_ones_own_until_its_end() {
    let mut grant = crate::look::grants::tests::example();
    assert_eq!(yours(&grant, &here()), "admin is yours until 14:32 (g4t9).");
    grant.groups = vec!["docker".parse().unwrap()];
    assert_eq!(
        yours(&grant, &here()),
        "admin is yours until 14:32 (g4t9). Shells that are open keep their old groups: log in \
         again, or  stint run admin -- COMMAND"
    );
    grant.state = GrantState::Scheduled;
    assert_eq!(yours(&grant, &here()), "admin is yours from 14:02 until 14:32 (g4t9).");
}

#[test]
fn an_approver_sees_everything_and_nothing_that_moves_a_cursor() {
    let mut request = example();
    request.reason = "x\u{1b}[2J\n  approvals 2 of 2".into();
    request.ticket = Some("INC-\u{202e}1".into());
    assert_eq!(
        shown(&in_full(&request, &here())),
        "7kq2: alice asks for db-restore\n  \
           who       alice (uid 1000)\n  \
           role      db-restore\n  \
           confers   sudo (postgres) /usr/bin/pg_restore\n            group postgres\n  \
           for       30m\n  \
           from      when it is granted\n  \
           reason    x\\u{1b}[2J\\n  approvals 2 of 2\n  \
           ticket    INC-\\u{202e}1\n  \
           asked     14:00; lapses 2026-11-24 14:00\n  \
           approvals 1 of 2: carol\n  \
           approvers carol, alice, erin, %leads"
    );
    request = example();
    request.extends = Some("g4t9".parse().unwrap());
    request.confers.clear();
    request.reason.clear();
    request.approvals.clear();
    assert_eq!(
        shown(&in_full(&request, &here())),
        "7kq2: alice asks for 30m more of db-restore (g4t9)\n  \
           who       alice (uid 1000)\n  \
           role      db-restore\n  \
           confers   nothing\n  \
           extends   g4t9, whose end moves by 30m\n  \
           reason    none given\n  \
           asked     14:00; lapses 2026-11-24 14:00\n  \
           approvals 0 of 2\n  \
           approvers carol, alice, erin, %leads"
    );
}

#[test]
fn what_awaits_a_word_is_a_table() {
    let mut request = example();
    request.starts_at = Some("2026-12-01T09:00:00Z".parse().unwrap());
    assert_eq!(
        shown(&pending(&[request], &here())),
        "  ID    USER   ROLE        FOR  FROM              ASKED  LAPSES            APPROVALS  REASON\n  \
           7kq2  alice  db-restore  30m  2026-12-01 09:00  14:00  2026-11-24 14:00  1 of 2     \
           restore last night's dump"
    );
    assert_eq!(to_decide(1), "1 request awaits your word   stint pending");
}

#[test]
fn an_approver_is_told_what_came_of_it() {
    let mut request = example();
    assert_eq!(
        decided(&request),
        "Your approval counts. 7kq2 awaits one more approval, from erin or %leads; approved by \
         carol."
    );
    request.state = RequestState::Approved;
    request.grant = Some("g4t9".parse().unwrap());
    assert_eq!(decided(&request), "alice has db-restore for 30m (g4t9).");
    request.state = RequestState::Denied;
    assert_eq!(decided(&request), "You denied 7kq2: alice does not get db-restore.");
}
