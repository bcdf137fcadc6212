//! Orders, explanations and simulations: the refusal first.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

mod common;

use common::{CONTRACT, groups, load};
use stint_policy::explain::{Held, Question, explain};
use stint_policy::order::{OrderRefusal, check_grant_order};
use stint_policy::request::OwnedFacts;
use stint_policy::simulate::{Simulation, simulate};
use stint_policy::{Policy, Subject};
use stint_proto::{ErrorCode, Timestamp, Uid, Verdict};

fn policy() -> Policy {
    load(CONTRACT).unwrap().policy
}

fn refused(host: &str, role: &str, length: Option<&str>, reason: &str) -> (ErrorCode, String) {
    let policy = policy();
    let length = length.map(|text| text.parse().unwrap());
    let role = role.parse().unwrap();
    let refusal: OrderRefusal =
        check_grant_order(&policy, host, &role, length, reason).unwrap_err();
    (refusal.code(), refusal.to_string())
}

#[test]
fn an_order_that_the_policy_does_not_allow_is_refused() {
    let (code, text) = refused("db-1", "nosuch", None, "x");
    assert_eq!(code, ErrorCode::Invalid);
    let roles = "admin, break-glass, containers";
    assert_eq!(text, format!("there is no role nosuch; the roles of this host: {roles}"));
    let (code, text) = refused("db-1", "restart-web", None, "x");
    assert_eq!(code, ErrorCode::Refused);
    assert_eq!(text, "restart-web does not exist on db-1, only on web-* (p.toml:41)");
    let (code, text) = refused("web-1", "admin", Some("4h1s"), "x");
    assert_eq!(code, ErrorCode::Refused);
    assert_eq!(text, "admin is given for at most 4h, not for 4h1s (p.toml:18)");
    assert_eq!(refused("web-1", "admin", None, " \n").0, ErrorCode::Invalid);
    assert_eq!(refused("web-1", "admin", None, &"x".repeat(513)).0, ErrorCode::Invalid);
}

#[test]
fn an_order_within_the_policy_has_terms() {
    let policy = policy();
    let order = |length: Option<&str>| {
        let length = length.map(|text| text.parse().unwrap());
        let role = "admin".parse().unwrap();
        check_grant_order(&policy, "web-1", &role, length, "é".repeat(512).as_str())
            .unwrap()
            .duration
            .to_string()
    };
    assert_eq!(order(None), "30m");
    assert_eq!(order(Some("4h")), "4h");
}

fn why(
    policy: &Policy,
    user: &str,
    uid: u32,
    in_groups: &[&str],
    held: &[Held],
) -> (Verdict, String) {
    let (user, in_groups) = (user.parse().unwrap(), groups(in_groups));
    let subject = Subject { user: &user, uid: Uid(uid), groups: &in_groups };
    let question = Question {
        service: &"sudo".parse().unwrap(),
        held,
        facts: &|_| OwnedFacts::default(),
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        clock: &|at| at.to_string(),
    };
    let told = explain(policy, "web-1", subject, &question);
    (told.verdict, told.because.join("\n"))
}

fn held(role: &str, from: &str, until: &str) -> Held {
    let time = |text: &str| format!("2026-11-23T{text}Z").parse::<Timestamp>().unwrap();
    Held {
        id: "g4t9".parse().unwrap(),
        role: role.parse().unwrap(),
        starts_at: time(from),
        expires_at: time(until),
    }
}

#[test]
fn a_denial_is_explained_by_lines_of_the_policy() {
    let policy = policy();
    let (verdict, because) = why(&policy, "alice", 1000, &[], &[]);
    assert_eq!(verdict, Verdict::Deny);
    let wanted = "alice holds no grant on web-1.\n\
                  admin would open it; alice is eligible by alice (p.toml:15).\n\
                  A request for admin would need one approval, from %leads (p.toml:17), a reason \
                  of at least 10 characters (p.toml:20) and a ticket that looks like \
                  ^(INC|CHG)-\\d+$ (p.toml:21).\n\
                  break-glass would open it; alice is not eligible, only %oncall (p.toml:46).\n\
                  restart-web would open it; alice is not eligible, only bob (p.toml:42).";
    assert_eq!(because, wanted);
}

#[test]
fn a_grant_that_opens_something_else_or_at_another_time_does_not_let_in() {
    let policy = policy();
    let cases = [
        (held("containers", "09:00:00", "11:00:00"), "opens no service, not sudo (p.toml:32)"),
        (held("admin", "09:00:00", "10:00:00"), "was over at 2026-11-23T10:00:00.000Z"),
        (held("admin", "10:00:01", "11:00:00"), "begins at 2026-11-23T10:00:01.000Z"),
        (held("gone", "09:00:00", "11:00:00"), "the policy has no such role"),
    ];
    for (grant, reason) in cases {
        let (verdict, because) = why(&policy, "alice", 1000, &[], &[grant]);
        assert_eq!(verdict, Verdict::Deny, "{because}");
        assert!(because.contains(reason), "{because}");
    }
}

#[test]
fn who_is_let_in_is_told_on_what_ground() {
    let policy = policy();
    let (verdict, because) = why(&policy, "root", 0, &[], &[]);
    assert_eq!(verdict, Verdict::Allow);
    assert_eq!(because, "root has uid 0, and root passes the gate always.");
    let (verdict, because) = why(&policy, "carol", 1000, &["ops-emergency"], &[]);
    assert_eq!(verdict, Verdict::Allow);
    let wanted = "gate.exempt names %ops-emergency (p.toml:4), and carol stands in that group.";
    assert_eq!(because, wanted);
    let grants = [held("admin", "10:00:00", "10:30:00"), held("admin", "09:00:00", "10:20:00")];
    let (verdict, because) = why(&policy, "carol", 1000, &[], &grants);
    assert_eq!(verdict, Verdict::Allow);
    let wanted = "carol holds admin until 2026-11-23T10:30:00.000Z (g4t9), \
                  and admin opens sudo (p.toml:14).";
    assert_eq!(because, wanted);
}

#[test]
fn a_gate_that_observes_lets_in_and_says_why_it_would_not() {
    let policy = load(&CONTRACT.replace("\"enforce\"", "\"observe\"")).unwrap().policy;
    let (verdict, because) = why(&policy, "carol", 1000, &[], &[]);
    assert_eq!(verdict, Verdict::Allow);
    assert!(because.starts_with("gate.mode is \"observe\" (p.toml:3): nothing is denied."));
    assert!(because.contains("carol holds no grant on web-1."));
}

#[test]
fn what_stands_against_a_request_is_explained_too() {
    let policy = policy();
    let (user, in_groups) = ("alice".parse().unwrap(), groups(&[]));
    let subject = Subject { user: &user, uid: Uid(1000), groups: &in_groups };
    let why = |pending: Option<&str>, at: &str| {
        let pending = pending.map(|id| id.parse().unwrap());
        let question = Question {
            service: &"sudo".parse().unwrap(),
            held: &[],
            facts: &|_| OwnedFacts { pending: pending.clone(), ..OwnedFacts::default() },
            at: at.parse().unwrap(),
            clock: &|_| "then".to_owned(),
        };
        explain(&policy, "web-1", subject, &question).because.join("\n")
    };
    let sunday = why(None, "2026-11-22T10:00:00Z");
    let wanted = "A request for admin would be refused: then is outside the hours of admin, Mon-Fri \
                  08:00-18:00 Europe/Berlin; they begin again at then (p.toml:22).";
    assert!(sunday.contains(wanted), "{sunday}");
    let pending = why(Some("7kq2"), "2026-11-23T10:00:00Z");
    let wanted =
        "refused: alice has asked for admin already: stint wait 7kq2, or stint cancel 7kq2.";
    assert!(pending.contains(wanted), "{pending}");
}

fn simulated(user: &str, in_groups: &[&str], role: &str, host: &str, at: &str) -> Simulation {
    let (user, role) = (user.parse().unwrap(), role.parse().unwrap());
    simulate(&policy(), host, &user, &groups(in_groups), &role, at.parse().unwrap(), &|at| {
        at.to_string()
    })
}

fn against(simulation: &Simulation) -> Vec<&str> {
    let bad = simulation.reasons.iter().filter(|finding| !finding.ok);
    bad.map(|finding| finding.text.as_str()).collect()
}

#[test]
fn a_simulation_says_what_stands_against_a_request() {
    let sunday = "2026-11-22T10:00:00Z";
    let found = simulated("mallory", &["wheel"], "admin", "web-1", sunday);
    assert!(!found.may_request);
    let wanted = [
        "mallory is not eligible for admin, only %engineers, alice.",
        "2026-11-22T10:00:00.000Z is outside the hours of admin, Mon-Fri 08:00-18:00 \
         Europe/Berlin; they begin again at 2026-11-23T07:00:00.000Z.",
    ];
    assert_eq!(against(&found), wanted);
    let found = simulated("bob", &[], "restart-web", "db-1", sunday);
    let wanted = [
        "restart-web does not exist on db-1, only on web-*.",
        "restart-web needs one approval, and the policy names nobody who may give it.",
    ];
    assert_eq!(against(&found), wanted);
    let found = simulated("bob", &[], "nosuch", "db-1", sunday);
    let roles = "admin, break-glass, containers";
    let wanted = format!("there is no role nosuch; the roles of this host: {roles}.");
    assert_eq!(against(&found), [wanted]);
    assert!(!found.may_request);
}

#[test]
fn a_simulation_says_on_what_terms_a_request_would_be_granted() {
    let found = simulated("mallory", &["engineers"], "admin", "web-1", "2026-11-23T10:00:00Z");
    assert!(found.may_request);
    let said: Vec<&str> = found.reasons.iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(said[0], "mallory is eligible by %engineers.");
    assert!(said.contains(&"It needs one approval, from %leads."), "{said:?}");
    assert!(said.contains(&"It needs a reason of at least 10 characters."), "{said:?}");
    assert!(said.contains(&"It is given for 30m, or for up to 4h if asked for."), "{said:?}");
    assert_eq!(found.reasons[0].at.as_ref().unwrap().to_string(), "p.toml:15");
}
