//! What the policy takes, what it makes of it, and that no text upsets the reader.
#![allow(clippy::unwrap_used, reason = "a test says by failing what it expects")]

mod common;

use common::{CONTRACT, Host, file, groups, load};
use proptest::prelude::*;
use stint_policy::{Diagnostic, Severity, Subject, SudoCommand, parse};
use stint_proto::{RoleName, ServiceName, Uid, UserName};

const SHIPPED: &str = include_str!("../../packaging/root/etc/stint/policy.toml");

fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

#[test]
fn the_policy_as_shipped_is_clean_and_makes_nobody_eligible() {
    let loaded = parse(&[file("policy.toml", SHIPPED)], "web-1", Some(&Host)).unwrap();
    assert_eq!(loaded.warnings, []);
    let admin = &loaded.policy.roles[&role("admin")];
    assert_eq!(admin.sudo[0].commands, [SudoCommand::All]);
    assert!(admin.eligible.is_empty() && loaded.policy.gate.exempt.is_empty());
    let used: Vec<String> = SHIPPED
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_toml(rest)).unwrap_or(line).to_owned())
        .collect();
    let loaded = parse(&[file("policy.toml", &used.join("\n"))], "web-1", Some(&Host)).unwrap();
    assert_eq!(loaded.warnings, [], "the commented examples");
    assert_eq!(loaded.policy.roles.len(), 5);
    assert_eq!(loaded.policy.grants.len(), 1);
}

fn is_toml(line: &str) -> bool {
    line.starts_with('[')
        || line.split(" = ").next().is_some_and(|key| {
            line.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
}

#[test]
fn no_policy_is_a_policy() {
    let loaded = parse(&[], "web-1", None).unwrap();
    assert_eq!(loaded.policy, stint_policy::Policy::default());
}

#[test]
fn the_contracts_example_means_what_it_says() {
    let loaded = load(CONTRACT).unwrap();
    let policy = &loaded.policy;
    let admin = &policy.roles[&role("admin")];
    assert_eq!(admin.max_duration.to_string(), "4h");
    assert_eq!(admin.sudo_lines(), ["(root) ALL"]);
    assert_eq!((admin.reason.required, admin.reason.min_length), (true, 10));
    let web = &policy.roles[&role("restart-web")];
    let services: Vec<&str> = web.services.iter().map(ServiceName::as_str).collect();
    assert_eq!(services, ["su", "sudo", "sudo-i"]);
    assert_eq!(web.default_duration.to_string(), "30m");
    assert_eq!(web.max_duration.to_string(), "1d");
    let containers = &policy.roles[&role("containers")];
    assert!(containers.services.is_empty());
    assert_eq!(policy.grants.len(), 1);
    assert_eq!(policy.grants[0].at.to_string(), "p.toml:49");
    assert_eq!(containers.at.to_string(), "p.toml:32");
    let odd: Vec<String> = loaded.warnings.iter().map(Diagnostic::headline).collect();
    let root = "p.toml:40:13: warning: roles.restart-web.polkit: whoever may do \
                org.freedesktop.systemd1.manage-units is as good as root";
    assert_eq!(odd[0], root);
    assert!(odd[1].starts_with("p.toml:42:1: warning: roles.restart-web.eligible:"), "{odd:?}");
    assert!(odd[2].starts_with("p.toml:47:1: warning: roles.break-glass.break_glass:"), "{odd:?}");
    assert_eq!(odd.len(), 3);
}

#[test]
fn the_sections_about_requests_mean_what_they_say() {
    let policy = load("").unwrap().policy;
    assert_eq!(policy.requests.lapse_after.to_string(), "1d");
    assert_eq!((policy.requests.max_pending_per_user, policy.requests.max_pending), (5, 1000));
    assert!(policy.approvals.authenticate && policy.notify.terminals);
    let text = "[requests]\nlapse_after = \"8h\"\nmax_pending_per_user = 2\nmax_pending = 9\n\
                [approvals]\nauthenticate = false\n[notify]\nterminals = false\n\
                [audit]\nreaders = [\"%auditors\"]\nkeep = \"400d\"\nsign = true\n";
    let loaded = load(text).unwrap();
    assert_eq!(loaded.warnings, []);
    let requests = &loaded.policy.requests;
    assert_eq!(requests.lapse_after.to_string(), "8h");
    assert_eq!((requests.max_pending_per_user, requests.max_pending), (2, 9));
    assert!(!loaded.policy.approvals.authenticate && !loaded.policy.notify.terminals);
    assert_eq!(policy.audit_keep, None, "for ever");
    assert!(!policy.audit_sign && loaded.policy.audit_sign);
    assert_eq!(loaded.policy.audit_keep.unwrap().to_string(), "400d");
    let (user, inside) = ("carol".parse().unwrap(), groups(&["auditors"]));
    let subject = Subject { user: &user, uid: Uid(1000), groups: &inside };
    assert!(loaded.policy.audit_reader_by(subject).is_some());
}

#[test]
fn a_role_that_nobody_can_approve_is_worth_a_warning() {
    let warned = |more: &str| {
        let text = format!("[roles.a]\nservices = [\"su\"]\n{more}");
        let warnings = load(&text).unwrap().warnings;
        warnings.iter().map(Diagnostic::headline).collect::<Vec<_>>()
    };
    let in_vain = "p.toml:3:1: warning: roles.a.eligible: it has no approvers: whoever asks for it \
                   waits in vain";
    let eligible = "eligible = [\"alice\"]\n";
    for more in ["", "approvals = 2\n", "approvers = []\n"] {
        assert_eq!(warned(&format!("{eligible}{more}")), [in_vain], "{more}");
    }
    for more in ["approvals = 0\n", "approvers = [\"bob\"]\n"] {
        assert_eq!(warned(&format!("{eligible}{more}")), [] as [&str; 0], "{more}");
    }
    // Nobody can ask for it: it is given by root.
    assert_eq!(warned(""), [] as [&str; 0]);
}

#[test]
fn an_odd_role_for_emergencies_is_worth_a_warning() {
    let warned = |more: &str| {
        let text = format!("[roles.a]\nservices = [\"su\"]\nbreak_glass = true\n{more}");
        let warnings = load(&text).unwrap().warnings;
        warnings.iter().map(Diagnostic::headline).collect::<Vec<_>>()
    };
    let approvers = "approvers = [\"bob\"]\n";
    assert_eq!(warned(approvers), [] as [&str; 0]);
    assert_eq!(warned(&format!("approvals = 0\n{approvers}")), [] as [&str; 0]);
    let needless = "p.toml:4:1: warning: roles.a.approvals: a break_glass role needs no approval, \
                    whatever is written here";
    assert_eq!(warned(&format!("approvals = 1\n{approvers}")), [needless]);
    let unheard = "p.toml:3:1: warning: roles.a.break_glass: it has no approvers: nobody is told of \
                   its use, and only root and the audit readers can review it";
    assert_eq!(warned(""), [unheard]);
}

#[test]
fn grants_of_roles_of_other_hosts_are_left_out() {
    let text = CONTRACT.replace("\"containers\"\nfrom", "\"restart-web\"\nfrom");
    let here = parse(&[file("p.toml", &text)], "web-1", None).unwrap();
    let there = parse(&[file("p.toml", &text)], "db-1", None).unwrap();
    assert_eq!((here.policy.grants.len(), there.policy.grants.len()), (1, 0));
}

#[test]
fn a_grants_key_outlives_a_new_reason_and_a_new_place() {
    let before = load(CONTRACT).unwrap().policy.grants;
    let text = format!("\n{}", CONTRACT.replace("CHG-4711", "CHG-4712"));
    let after = load(&text).unwrap().policy.grants;
    assert_ne!(before[0].at, after[0].at);
    assert_eq!(before[0].key(), after[0].key());
    let later = load(&CONTRACT.replace("T17:00", "T18:00")).unwrap().policy.grants;
    assert_ne!(before[0].key(), later[0].key());
    let policy = load(CONTRACT).unwrap().policy;
    assert_eq!(policy.past_grants(before[0].from).count(), 0);
    assert_eq!(policy.past_grants(before[0].until).count(), 1);
}

#[test]
fn accounts_that_a_directory_may_know_are_worth_a_warning() {
    let text = "[roles.a]\nservices = [\"su\"]\neligible = [\"%ldap\", \"zoe\", \"alice\"]\n\
                approvals = 0\n";
    let warnings = load(text).unwrap().warnings;
    let shown: Vec<String> = warnings.iter().map(Diagnostic::headline).collect();
    let wanted = [
        "p.toml:3:13: warning: roles.a.eligible: there is no group \"ldap\" on this host",
        "p.toml:3:22: warning: roles.a.eligible: there is no user \"zoe\" on this host",
    ];
    assert_eq!(shown, wanted);
    assert_eq!(parse(&[file("p.toml", text)], "web-1", None).unwrap().warnings, []);
}

#[test]
fn a_loose_ticket_rule_is_worth_a_warning() {
    let text = "[roles.a]\nservices = [\"su\"]\nticket = \"INC\"\n";
    let warnings = load(text).unwrap().warnings;
    assert!(warnings.iter().any(|told| told.severity == Severity::Warning));
}

#[test]
fn only_those_named_are_eligible_or_exempt() {
    let policy = load(CONTRACT).unwrap().policy;
    let (alice, mallory): (UserName, UserName) =
        ("alice".parse().unwrap(), "mallory".parse().unwrap());
    let (none, some) = (groups(&[]), groups(&["engineers", "ops-emergency"]));
    let subject = |user, groups| Subject { user, uid: Uid(1000), groups };
    let admin = &policy.roles[&role("admin")];
    assert_eq!(policy.eligible_by(admin, subject(&mallory, &none)), None);
    assert_eq!(policy.exempt_by(subject(&mallory, &none)), None);
    let by = policy.eligible_by(admin, subject(&mallory, &some)).unwrap();
    assert_eq!(by.to_string(), "%engineers");
    assert_eq!(policy.eligible_by(admin, subject(&alice, &none)).unwrap().to_string(), "alice");
    assert!(policy.exempt_by(subject(&mallory, &some)).is_some());
    let sudo: ServiceName = "sudo".parse().unwrap();
    let ways = policy.ways_in(&sudo, "db-1", subject(&alice, &none));
    let names = |roles: &[&stint_policy::Role]| {
        roles.iter().map(|role| role.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ways.eligible), ["admin"]);
    assert_eq!(names(&ways.others), ["break-glass"], "restart-web is not of db-1");
}

proptest! {
    #[test]
    fn no_text_upsets_the_reader(text in "\\PC{0,200}") {
        let _ = load(&text);
    }

    #[test]
    fn no_damage_upsets_the_reader(
        at in 0..CONTRACT.len(), cut in 0_usize..40, put in "[\\[\\]{}\"'=.,#\n a-z0-9é]{0,8}",
    ) {
        let floor = |at: usize| (0..=at.min(CONTRACT.len()))
            .rev().find(|at| CONTRACT.is_char_boundary(*at)).unwrap_or(0);
        let (start, end) = (floor(at), floor(at + cut));
        let text = format!("{}{put}{}", &CONTRACT[..start], &CONTRACT[end..]);
        if let Err(found) = load(&text) {
            prop_assert!(found.iter().any(Diagnostic::is_error));
            for told in found {
                prop_assert!(told.line >= 1 && told.column >= 1);
                prop_assert!(told.to_string().lines().count() <= 3);
            }
        }
    }
}
