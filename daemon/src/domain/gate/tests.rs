//! The gate's decision, the refusals first.

use proptest::prelude::*;
use stint_policy::{SourceFile, parse};

use super::super::grant::Grant;
use super::super::grant::tests::{at, sample};
use super::*;

const POLICY: &str = r#"
[gate]
exempt = ["%ops"]
[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
[roles.elsewhere]
sudo = [{ commands = ["ALL"] }]
hosts = ["db-*"]
[roles.containers]
groups = ["docker"]
"#;

fn policy(text: &str) -> Policy {
    let files = [SourceFile { path: "policy.toml".into(), text: text.into() }];
    parse(&files, "web-1", None).unwrap().policy
}

fn subject(user: &str, uid: u32) -> Subject {
    Subject { uid: Uid(uid), user: user.parse().unwrap() }
}

fn index_of(role: &str, active: bool) -> Index {
    let mut grant: Grant = sample("g4t9", "alice", 1000, role);
    if active {
        grant.activate(at(100));
    }
    let mut index = Index::default();
    index.put(grant);
    index
}

fn ruling(policy: &Policy, index: &Index, who: &Subject, service: &str, micros: i64) -> Ruling {
    let service = service.parse().unwrap();
    decide(policy, "web-1", index, who, &BTreeSet::new(), &service, at(micros))
}

#[test]
fn nothing_held_opens_nothing() {
    let policy = policy(POLICY);
    let alice = subject("alice", 1000);
    let denied = Ruling::Denied(Denial::NothingHeld);
    assert_eq!(ruling(&policy, &Index::default(), &alice, "sudo", 150), denied);
    assert_eq!(ruling(&policy, &index_of("containers", true), &alice, "sudo", 150), denied);
    assert_eq!(ruling(&policy, &index_of("elsewhere", true), &alice, "sudo", 150), denied);
    assert_eq!(ruling(&policy, &index_of("unknown", true), &alice, "sudo", 150), denied);
    assert_eq!(ruling(&policy, &index_of("admin", true), &alice, "su", 150), denied);
}

#[test]
fn uid_and_name_have_to_match_both() {
    let policy = policy(POLICY);
    let index = index_of("admin", true);
    let twin = ruling(&policy, &index, &subject("alice2", 1000), "sudo", 150);
    assert!(matches!(twin, Ruling::Denied(Denial::OtherName { .. })), "{twin:?}");
    let other = ruling(&policy, &index, &subject("alice", 1001), "sudo", 150);
    assert_eq!(other, Ruling::Denied(Denial::NothingHeld));
}

#[test]
fn a_grant_opens_its_doors_until_its_deadline() {
    let policy = policy(POLICY);
    let alice = subject("alice", 1000);
    let index = index_of("admin", true);
    assert!(matches!(ruling(&policy, &index, &alice, "sudo", 199), Ruling::Allowed { .. }));
    assert!(matches!(ruling(&policy, &index, &alice, "sudo-i", 199), Ruling::Allowed { .. }));
    assert!(matches!(ruling(&policy, &index, &alice, "sudo", 200), Ruling::Denied(_)));
    let waiting = ruling(&policy, &index_of("admin", false), &alice, "sudo", 99);
    assert!(matches!(waiting, Ruling::Denied(Denial::NotYet { .. })), "{waiting:?}");
}

#[test]
fn observing_denies_nothing() {
    let text = POLICY.replace("[gate]", "[gate]\nmode = \"observe\"");
    let seen = ruling(&policy(&text), &Index::default(), &subject("alice", 1000), "sudo", 150);
    assert_eq!(seen, Ruling::Observed(Denial::NothingHeld));
}

#[test]
fn the_exempt_pass_by_their_standing_groups() {
    let policy = policy(POLICY);
    let service = "sudo".parse().unwrap();
    let groups = BTreeSet::from(["ops".parse().unwrap()]);
    let who = subject("carol", 1002);
    let ruling = decide(&policy, "web-1", &Index::default(), &who, &groups, &service, at(150));
    assert_eq!(ruling, Ruling::Exempt("%ops".into()));
}

#[test]
fn a_denial_says_why_and_what_to_type() {
    let ways = Ways { eligible: vec!["admin".parse().unwrap()], others: Vec::new() };
    let lines = denial_lines(
        &Denial::NothingHeld,
        "web-1",
        &subject("alice", 1000),
        &"sudo".parse().unwrap(),
        &ways,
        |time| time.to_string(),
    );
    assert_eq!(
        lines,
        [
            "stint: sudo on web-1 needs a grant, and you hold none that opens it.",
            "stint: have an administrator type:  stint grant alice admin --for 30m --reason \"what for\"",
        ]
    );
}

proptest! {
    #[test]
    fn no_moment_outside_a_grant_opens_the_door(micros in -1_000_i64..1_000) {
        let policy = policy(POLICY);
        let held = ruling(&policy, &index_of("admin", true), &subject("alice", 1000), "sudo", micros);
        prop_assert_eq!(matches!(held, Ruling::Allowed { .. }), micros < 200);
    }
}
