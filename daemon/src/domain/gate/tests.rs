//! The gate's decision, the refusals first.

use proptest::prelude::*;
use stint_policy::{SourceFile, parse};
use stint_proto::body::to_message;
use stint_proto::{CheckAnswer, Verdict};
use stint_wire::header::Fields;

use super::super::grant::Grant;
use super::super::grant::tests::{at, sample};
use super::super::request::tests::sample as sample_request;
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

fn told(policy_text: &str, groups: &[&str], pending: Option<&Request>) -> (Vec<String>, usize) {
    let policy = policy(policy_text);
    let groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    let (alice, service) = (subject("alice", 1000), "sudo".parse().unwrap());
    let asked = PolicySubject { user: &alice.user, uid: alice.uid, groups: &groups };
    let ways = Ways::new(&policy.ways_in(&service, "web-1", asked), pending);
    let denial = Denial::NothingHeld;
    let lines = denial_lines(&denial, "web-1", &alice, &service, &ways, |time| time.to_string());
    (lines, ways.offers(&denial).len())
}

const ROLES: &str = r#"
    [roles.a-rescue]
    sudo = [{ commands = ["ALL"] }]
    eligible = ["%engineers"]
    break_glass = true
    [roles.admin]
    sudo = [{ commands = ["ALL"] }]
    eligible = ["%engineers"]
    approvers = ["bob", "%leads"]
    ticket = '^INC-\d+$'
"#;

#[test]
fn a_denial_says_why_and_what_to_type() {
    let (lines, offers) = told(ROLES, &["engineers"], None);
    assert_eq!(
        lines,
        [
            "stint: sudo on web-1 needs a grant, and you hold none that opens it.",
            "stint: ask for one:  stint request admin --for 30m --ticket ID --reason \"what for\"",
        ]
    );
    assert_eq!(offers, 1, "what is for emergencies is not offered at a door");
}

#[test]
fn no_more_is_offered_than_fits_into_an_answer() {
    let role = |number: usize| {
        let name = format!("{:x<48}", format!("role{number}"));
        format!(
            "[roles.{name}]\nsudo = [{{ commands = [\"ALL\"] }}]\neligible = [\"%engineers\"]\n"
        )
    };
    let roles: String = (0..300).map(role).collect();
    let (lines, offers) = told(&roles, &["engineers"], None);
    let offer = Offer { role: "x".repeat(48).parse().unwrap(), reason: true, ticket: true };
    let answer = CheckAnswer { verdict: Verdict::Deny, lines, offers: vec![offer; offers] };
    assert_eq!(offers, MOST_OFFERS);
    assert!(to_message(2, 0, 1, &Fields::default(), &answer).is_some());
}

#[test]
fn who_cannot_be_helped_is_told_whose_word_counts() {
    let (lines, offers) = told(ROLES, &[], None);
    assert_eq!(
        lines,
        ["stint: no role in the policy of web-1 would open sudo for you; its administrators are \
          in bob, %leads."]
    );
    assert_eq!(offers, 0);
}

#[test]
fn who_has_asked_already_is_told_to_wait() {
    let request = sample_request("7kq2", 1);
    let (lines, offers) = told(ROLES, &["engineers"], Some(&request));
    assert_eq!(
        lines,
        [
            "stint: your request 7kq2 for admin awaits one approval, from %leads.",
            "stint: wait for it:  stint wait 7kq2",
        ]
    );
    assert_eq!(offers, 0);
    let from = ["bob".to_owned(), "%leads".to_owned(), "erin".to_owned()];
    assert_eq!(awaited(2, &from), "2 approvals, from bob, %leads or erin");
    assert_eq!(awaited(1, &[]), "one approval");
}

proptest! {
    #[test]
    fn no_moment_outside_a_grant_opens_the_door(micros in -1_000_i64..1_000) {
        let policy = policy(POLICY);
        let held = ruling(&policy, &index_of("admin", true), &subject("alice", 1000), "sudo", micros);
        prop_assert_eq!(matches!(held, Ruling::Allowed { .. }), micros < 200);
    }
}
