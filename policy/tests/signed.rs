//! A signed policy beside the host's own: what it may not say is refused with its line, all of it; what
//! it may is read as any policy.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test reports by panicking")]

use stint_policy::{Accounts, Policy, SourceFile, parse, parse_alone, parse_signed};
use stint_proto::{GroupName, UserName};

const OWN: &str = r#"
[remote]
roles  = ["media", "old-*"]
define = ["fleet-*"]

[roles.admin]
sudo = [{ commands = ["ALL"] }]

[roles.media]
groups = ["video"]
"#;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

/// Somebody is here, and nobody else.
struct Somebody;

impl Accounts for Somebody {
    fn group_exists(&self, _group: &GroupName) -> bool {
        true
    }

    fn user_exists(&self, user: &UserName) -> bool {
        user.as_str() == "alice"
    }
}

fn together(own: &str, signed: &str) -> Result<(Policy, Vec<String>), Vec<String>> {
    let own = [file("policy.toml", own)];
    match parse_signed(&own, &file("fleet", signed), "web-1", Some(&Somebody)) {
        Ok(loaded) => {
            let warnings = loaded.warnings.iter().map(|found| found.headline());
            Ok((loaded.policy, warnings.collect()))
        }
        Err(found) => {
            Err(found.iter().filter(|one| one.is_error()).map(|one| one.headline()).collect())
        }
    }
}

fn grant(role: &str, user: &str) -> String {
    format!(
        "[[grants]]\nuser = \"{user}\"\nrole = \"{role}\"\nfrom = 2026-01-01T00:00:00Z\n\
         until = 2027-01-01T00:00:00Z\nreason = \"x\"\n"
    )
}

#[test]
fn what_a_signed_policy_may_not_say_is_refused() {
    let role = |name: &str| format!("[roles.{name}]\ngroups = [\"video\"]\n");
    let elsewhere = OWN.replace("define = [\"fleet-*\"]\n", "");
    for (own, signed, wanted) in [
        (
            OWN,
            "[gate]\nmode = \"observe\"\n".to_owned(),
            "fleet:1:2: gate: a signed policy may not say",
        ),
        (
            OWN,
            "[remote]\nroles = [\"*\"]\n".to_owned(),
            "fleet:1:2: remote: a signed policy may not",
        ),
        (
            OWN,
            "[audit]\nreaders = [\"bob\"]\n".to_owned(),
            "fleet:1:2: audit: a signed policy may not",
        ),
        (
            OWN,
            "[document]\nserial = 1\n".to_owned(),
            "fleet:1:2: document: a signed policy may not",
        ),
        (
            OWN,
            role("shadow"),
            "fleet:1:8: roles.shadow: this host's own policy lets no signed policy",
        ),
        (
            OWN,
            role("media"),
            "fleet:1:8: roles.media: a second role of this name; the first is at policy.toml",
        ),
        (OWN, role("old-web"), "fleet:1:8: roles.old-web: this host's own policy lets no signed"),
        (
            &elsewhere,
            role("fleet-web"),
            "fleet:1:8: roles.fleet-web: this host's own policy lets no",
        ),
        (
            OWN,
            grant("admin", "alice"),
            "fleet:1:1: grants: this host's own policy lets no signed document",
        ),
        (
            OWN,
            grant("fleet-web", "alice"),
            "fleet:3:8: grants.role: there is no role \"fleet-web\"",
        ),
        (
            OWN,
            "[roles.fleet-web]\ngroups = [\"video\"]\nsodu = 1\n".to_owned(),
            "fleet:3:1: roles.fleet-web.sodu: unknown key",
        ),
    ] {
        let found = together(own, &signed).unwrap_err();
        assert!(found[0].starts_with(wanted), "{signed}: {found:?}");
    }
}

#[test]
fn what_it_may_is_beside_the_hosts_own() {
    let signed = format!(
        "[roles.fleet-web]\ngroups = [\"www-data\"]\n\n[roles.db]\nhosts = [\"db-*\"]\ngroups = [\"x\"]\n\n\
         [roles.admin]\nhosts = [\"db-*\"]\ngroups = [\"x\"]\n\n{}{}{}",
        grant("media", "alice"),
        grant("fleet-web", "alice"),
        grant("media", "bob")
    );
    let (policy, warnings) = together(OWN, &signed).unwrap();
    let brought: Vec<&str> =
        policy.roles.values().filter(|role| role.signed).map(|role| role.name.as_str()).collect();
    assert_eq!(brought, ["db", "fleet-web"], "one for other hosts does no harm");
    assert!(!policy.roles[&"media".parse().unwrap()].signed);
    assert_eq!(policy.grants.len(), 3);
    assert!(policy.grants.iter().all(|grant| grant.signed));
    assert!(policy.gate.exempt.is_empty() && policy.remote.is_some());
    // Who has no account here is worth a word; the others are held.
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("there is no user \"bob\" on this host"));
    // Where no host is known, roles of theirs are.
    let alone = parse_alone(&file("fleet", &signed), "laptop").unwrap().policy;
    assert_eq!(alone.roles.len(), 3);
}

#[test]
fn what_signed_documents_may_do_is_checked_itself() {
    for (text, wanted) in [
        ("roles = [\"Web\"]", "policy.toml:2:10: remote.roles: \"Web\" is no role's name"),
        ("define = [\"web?\"]", "policy.toml:2:11: remote.define: \"web?\" is no role's name"),
        ("approvals = [\"a b\"]", "policy.toml:2:14: remote.approvals: \"a b\" is no role's name"),
        (
            "approvals = \"admin\"",
            "policy.toml:2:13: remote.approvals: \"admin\" is no list of texts",
        ),
        ("offline = \"never\"", "policy.toml:2:11: remote.offline: \"never\" is not known here"),
        ("offline = \"new\"", "policy.toml:2:1: remote.offline: it needs to be said for how long"),
        ("offline_for = \"1h\"", "policy.toml:2:1: remote.offline_for: only \"new\" goes on"),
        ("max_age = \"1 week\"", "policy.toml:2:11: remote.max_age: \"1 week\" is no duration"),
        (
            "publish = \"yes\"",
            "policy.toml:2:11: remote.publish: \"yes\" is neither true nor false",
        ),
        ("serial = 1", "policy.toml:2:1: remote.serial: unknown key"),
    ] {
        let found = parse(&[file("policy.toml", &format!("[remote]\n{text}\n"))], "web-1", None);
        let found = found.unwrap_err();
        assert!(found[0].headline().starts_with(wanted), "{text}: {}", found[0].headline());
    }
    let good = "[remote]\noffline = \"new\"\noffline_for = \"24h\"\nmax_age = \"7d\"\n";
    let loaded = parse(&[file("policy.toml", good)], "web-1", None).unwrap();
    assert!(
        loaded
            .policy
            .remote
            .is_some_and(|remote| { remote.offline_for.is_some() && !remote.publish })
    );
    let open = parse(&[file("policy.toml", "[remote]\npublish = true\n")], "web-1", None).unwrap();
    assert!(open.policy.remote.is_some_and(|remote| remote.publish));
    let good = "[remote]\napprovals = [\"admin\", \"fleet-*\"]\n";
    let remote = parse(&[file("policy.toml", good)], "web-1", None).unwrap().policy.remote.unwrap();
    let approves = |role: &str| remote.approves(&role.parse().unwrap());
    assert!(approves("admin") && approves("fleet-web") && !approves("media"));
}
