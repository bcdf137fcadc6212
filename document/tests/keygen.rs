//! Documents signed by the real ssh-keygen, held against `allowed_signers` by both: the same verdict
//! on each of a table of cases, but where this is stricter, which is said.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

mod keys;

use std::fs;
use std::process::{Command, Stdio};

use jiff::tz::TimeZone;
use stint_document::{Refusal, Signers, verify};

use keys::{Keys, now};

const TEXT: &str = "[document]\nkind = \"grant\"\n";

/// What ssh-keygen says of a signature on the text for one of these people.
fn theirs(keys: &Keys, signature: &str, signers: &str) -> bool {
    let (at, by) = (keys.path("a.sig"), keys.path("signers"));
    fs::write(&at, signature).unwrap();
    fs::write(&by, signers).unwrap();
    PEOPLE.iter().any(|person| {
        let mut command = Command::new("ssh-keygen");
        command.args(["-Y", "verify", "-n", "grant@stint", "-I", person]);
        command.arg("-s").arg(&at).arg("-f").arg(&by).env("TZ", "UTC");
        command.stdin(fs::File::open(keys.path("text")).unwrap());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    })
}

fn ours(signature: &str, signers: &str) -> Result<String, Refusal> {
    let signers = Signers::read("signers", signers, &TimeZone::UTC);
    let document = format!("{TEXT}{signature}");
    verify(document.as_bytes(), &signers, now()).map(|verified| verified.signers())
}

const PEOPLE: [&str; 4] = ["alice@example.org", "bob", "carol@example.org", "mallory"];

/// The lines that let somebody sign, or do not, around one public key.
fn lines(key: &str) -> Vec<String> {
    let mut lines: Vec<String> = [
        "alice@example.org KEY",
        "bob,carol KEY a comment of many words",
        "*@example.org KEY",
        "!alice@example.org,*@example.org KEY",
        "!alice@example.org,* KEY",
        "\"alice@example.org\" KEY",
        "\"alice@example.org KEY",
        "alice@example.org",
        "# alice@example.org KEY",
        "  \t alice@example.org \t KEY",
        "alice@example.org namespaces=\"grant@stint\" KEY",
        "alice@example.org namespaces=\"policy@stint\" KEY",
        "alice@example.org namespaces=\"policy@stint,grant@*\" KEY",
        "alice@example.org namespaces=\"*,!grant@stint\" KEY",
        "alice@example.org NameSpaces=\"grant@stint\" KEY",
        "alice@example.org namespaces=grant@stint KEY",
        "alice@example.org namespaces=\"grant@stint KEY",
        "alice@example.org namespaces=\"grant@stint\",namespaces=\"grant@stint\" KEY",
        "alice@example.org valid-after=\"20200101\" KEY",
        "alice@example.org valid-after=\"20990101\" KEY",
        "alice@example.org valid-before=\"20990101Z\" KEY",
        "alice@example.org valid-before=\"202001010000\" KEY",
        "alice@example.org valid-after=\"20200101000000Z\",valid-before=\"209901010000Z\" KEY",
        "alice@example.org valid-before=\"soon\" KEY",
        "alice@example.org valid-before=20990101 KEY",
        "alice@example.org cert-authority KEY",
        "alice@example.org no-touch-required KEY",
        "alice@example.org namespaces=\"grant@stint\",valid-after=\"20200101\" KEY",
    ]
    .iter()
    .map(|line| line.replace("KEY", key))
    .collect();
    // What is wrong with one line takes nothing from another.
    lines.push(format!("alice@example.org what is this\nalice@example.org {key}"));
    lines
}

#[test]
fn the_same_lines_let_the_same_keys_sign_as_ssh_keygen_says() {
    let keys = Keys::new();
    for (name, kind) in [
        ("ed", &["ed25519"][..]),
        ("p256", &["ecdsa", "-b", "256"]),
        ("p384", &["ecdsa", "-b", "384"]),
        ("p521", &["ecdsa", "-b", "521"]),
        ("rsa", &["rsa", "-b", "3072"]),
    ] {
        let key = keys.key(name, kind);
        let signature = keys.sign(name, TEXT, "grant@stint");
        let (mut good, mut bad) = (0, 0);
        // All lines with one kind; the others need no proof that a line is a line.
        for line in lines(&key).iter().take(if name == "ed" { usize::MAX } else { 2 }) {
            let (ours, theirs) = (ours(&signature, line), theirs(&keys, &signature, line));
            assert_eq!(ours.is_ok(), theirs, "{line}: {ours:?}");
            if theirs { good += 1 } else { bad += 1 }
        }
        assert!(good >= 2 && (name != "ed" || bad > 10), "{name}: {good} good, {bad} bad");
        let small = keys.key(&format!("{name}-other"), &["ed25519"]);
        assert!(ours(&signature, &format!("alice@example.org {small}")).is_err(), "another key");
    }
}

#[test]
fn a_changed_text_another_namespace_and_a_broken_signature_are_refused() {
    let keys = Keys::new();
    let line = format!("alice {}", keys.key("ed", &["ed25519"]));
    let signers = Signers::read("signers", &line, &TimeZone::UTC);
    let signature = keys.sign("ed", TEXT, "grant@stint");
    let good = format!("{TEXT}{signature}");
    assert_eq!(verify(good.as_bytes(), &signers, now()).unwrap().signers(), "alice");
    // Each byte of the text, one at a time.
    for at in 0..TEXT.len() {
        let mut changed = good.clone().into_bytes();
        *changed.get_mut(at).unwrap() ^= 1;
        let found = verify(&changed, &signers, now());
        assert!(found.is_err(), "byte {at} was changed: {found:?}");
    }
    // Cut off anywhere but after the last line break.
    for length in 0..good.len() - 1 {
        assert!(verify(good.get(..length).unwrap().as_bytes(), &signers, now()).is_err());
    }
    let appended = format!("{good}[roles.admin]\n");
    assert!(matches!(verify(appended.as_bytes(), &signers, now()), Err(Refusal::Stray { .. })));
    let elsewhere = keys.sign("ed", TEXT, "file");
    let found = verify(format!("{TEXT}{elsewhere}").as_bytes(), &signers, now());
    assert_eq!(found, Err(Refusal::Namespace { found: "file".to_owned() }));
    let two = format!("{good}{}", keys.sign("ed", TEXT, "policy@stint"));
    assert!(matches!(verify(two.as_bytes(), &signers, now()), Err(Refusal::Namespace { .. })));
}

#[test]
fn somebody_unknown_who_signs_besides_does_no_harm_and_counts_for_nothing() {
    let keys = Keys::new();
    let line = format!("alice {}", keys.key("alice", &["ed25519"]));
    keys.key("mallory", &["ed25519"]);
    let signers = Signers::read("signers", &line, &TimeZone::UTC);
    let (alice, mallory) =
        (keys.sign("alice", TEXT, "grant@stint"), keys.sign("mallory", TEXT, "grant@stint"));
    let alone = verify(format!("{TEXT}{mallory}").as_bytes(), &signers, now());
    assert!(matches!(alone, Err(Refusal::NotAllowed { .. })), "{alone:?}");
    for both in [format!("{TEXT}{mallory}{alice}"), format!("{TEXT}{alice}{mallory}{alice}")] {
        assert_eq!(verify(both.as_bytes(), &signers, now()).unwrap().by.len(), 1);
    }
}

#[test]
fn certificates_count_as_ssh_keygen_says_where_their_authority_is_named() {
    let keys = Keys::new();
    let authority = keys.key("authority", &["ed25519"]);
    keys.key("other", &["ed25519"]);
    let forever: &[&str] = &[];
    let year: &[&str] = &["-V", "-1d:+52w"];
    for (number, (by, principals, more, same)) in [
        ("authority", "alice@example.org", year, true),
        ("authority", "alice@example.org,bob", year, true),
        ("authority", "mallory", year, true),
        ("authority", "", year, true),
        ("other", "alice@example.org", year, true),
        ("authority", "alice@example.org", &["-V", "20200101:20200102"], true),
        ("authority", "alice@example.org", &["-V", "20980101:20990102"], true),
        ("authority", "alice@example.org", &["-h", "-V", "-1d:+52w"], true),
        // Stricter here: a certificate needs an end, and no limits that mean nothing here.
        ("authority", "alice@example.org", forever, false),
        ("authority", "alice@example.org", &["-V", "-1d:+52w", "-O", "force-command=id"], false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{number}");
        keys.key(&name, &["ed25519"]);
        keys.certify(by, &name, principals, more);
        let signature = keys.sign_certified(&name, TEXT, "grant@stint");
        for line in [
            format!("*@example.org cert-authority {authority}"),
            format!("*@example.org cert-authority,namespaces=\"policy@stint\" {authority}"),
            format!("*@example.org {authority}"),
        ] {
            let theirs = theirs(&keys, &signature, &line);
            let ours = ours(&signature, &line);
            if same {
                assert_eq!(ours.is_ok(), theirs, "{principals} {more:?} {line}: {ours:?}");
            } else {
                assert!(ours.is_err(), "{principals} {more:?} {line}: {ours:?}");
            }
            if number == 0 && line.contains("cert-authority ") {
                assert_eq!(ours.as_deref(), Ok("alice@example.org"));
            }
        }
    }
}
