//! Who has signed an approval, by real keys and certificates: every name that a key has is told, so that
//! nobody is two people; more than one signature is no approval.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

mod keys;

use jiff::tz::TimeZone;
use stint_document::{Approver, Refusal, Signers, verify};

use keys::{Keys, now};

const TEXT: &str = "[document]\nkind = \"approval\"\n";
const ED: &[&str] = &["ed25519"];
const YEAR: &[&str] = &["-V", "-1d:+52w"];

fn whose(signature: &str, lines: &str) -> Result<Approver, Refusal> {
    let signers = Signers::read("signers", lines, &TimeZone::UTC);
    assert!(signers.problems().is_empty(), "{:?}", signers.problems());
    let document = format!("{TEXT}{signature}");
    verify(document.as_bytes(), &signers, now()).map(|verified| verified.approver.unwrap())
}

/// `names | all`.
fn told(approver: &Approver) -> String {
    let list = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(",")
    };
    format!("{} | {}", list(&approver.names), list(&approver.all))
}

#[test]
fn every_name_that_a_key_has_is_told() {
    let keys = Keys::new();
    let (key, other) = (keys.key("bob", ED), keys.key("other", ED));
    let signature = keys.sign("bob", TEXT, "approval@stint");
    let as_approval = "namespaces=\"approval@stint\"";
    for (lines, wanted) in [
        ("bob NS KEY", "bob | bob"),
        ("bob KEY", "bob | bob"),
        ("bob,lead@example.org NS KEY", "bob,lead@example.org | bob,lead@example.org"),
        ("bob NS KEY\ncarol NS KEY", "bob,carol | bob,carol"),
        ("bob NS KEY\ncarol NS OTHER", "bob | bob"),
        // Whoever may sign something else with it, or might once, is the same person.
        ("bob NS KEY\nalice namespaces=\"policy@stint\" KEY", "bob | alice,bob"),
        ("bob NS KEY\nalice valid-before=\"20200101\" KEY", "bob | alice,bob"),
        ("alice namespaces=\"policy@stint\" KEY\nlead@x NS KEY", "lead@x | alice,lead@x"),
        ("bob,!bob,carol NS KEY", "carol | carol"),
        // A pattern that lets sign nothing of this kind does no harm.
        ("bob NS KEY\n* namespaces=\"policy@stint\" KEY", "bob | bob"),
        ("bob NS KEY\n* cert-authority,NS KEY", "bob | bob"),
    ] {
        let text = lines.replace("NS", as_approval).replace("KEY", &key).replace("OTHER", &other);
        assert_eq!(told(&whose(&signature, &text).unwrap()), wanted, "{lines}");
    }
    for (lines, at) in [("* KEY", 1), ("bob,*@example.org KEY", 1), ("bob KEY\nb?b KEY", 2)] {
        let found = whose(&signature, &lines.replace("KEY", &key)).unwrap_err();
        assert!(matches!(found, Refusal::Pattern { line, .. } if line == at), "{lines}: {found}");
    }
    for lines in [
        "bob namespaces=\"policy@stint\" KEY",
        "bob valid-before=\"20200101\" KEY",
        "bob cert-authority KEY",
        "",
    ] {
        let found = whose(&signature, &lines.replace("KEY", &key));
        assert!(matches!(found, Err(Refusal::NotAllowed { .. })), "{lines}: {found:?}");
    }
}

#[test]
fn a_certificate_is_all_of_its_principals() {
    let keys = Keys::new();
    let authority = keys.key("authority", ED);
    for (number, (principals, lines, wanted)) in [
        ("bob", "* cert-authority CA", "bob | bob"),
        ("bob,bob@example.org", "bob cert-authority CA", "bob | bob,bob@example.org"),
        // What the line leaves out is still who they are.
        ("bob,alice", "bob cert-authority CA", "bob | alice,bob"),
        ("bob,alice", "* cert-authority CA", "alice,bob | alice,bob"),
        ("bob", "bob cert-authority CA\nalice namespaces=\"policy@stint\" KEY", "bob | alice,bob"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{number}");
        let key = keys.key(&name, ED);
        keys.certify("authority", &name, principals, YEAR);
        let signature = keys.sign_certified(&name, TEXT, "approval@stint");
        let lines = lines.replace("CA", &authority).replace("KEY", &key);
        let approver = whose(&signature, &lines).unwrap();
        assert_eq!(told(&approver), wanted, "{principals}: {lines}");
        // It is known by the key itself: another certificate of it is no other person.
        assert!(approver.key.starts_with("SHA256:"), "{approver:?}");
    }
}

#[test]
fn two_signatures_are_no_approval_whosever_they_are() {
    let keys = Keys::new();
    let lines = format!("bob {}\ncarol {}", keys.key("bob", ED), keys.key("carol", ED));
    keys.key("mallory", ED);
    let sign = |key: &str| keys.sign(key, TEXT, "approval@stint");
    let (bob, carol, mallory) = (sign("bob"), sign("carol"), sign("mallory"));
    assert_eq!(told(&whose(&bob, &lines).unwrap()), "bob | bob");
    for both in [&carol, &bob, &mallory] {
        let found = whose(&format!("{bob}{both}"), &lines);
        assert_eq!(found, Err(Refusal::NotOne { count: 2 }));
        assert!(found.unwrap_err().to_string().contains("each signs one of their own"));
    }
}
