//! Documents that people sign and hosts believe: whatever carries them, what is bad changes nothing
//! and is told; what is good is held as far as the host's own policy lets it, over a reboot too, and
//! no longer than it says itself.

use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

use crate::common::{
    SOON, assert_denied, assert_let_in, builder, document, event_of, gate, is_in, listed,
    next_boot, status, with_boots,
};
use crate::workflow::{ask, line, outcome, refused};

const OWN: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false

[roles.media]
groups       = ["video"]
max_duration = "2h"
"#;

const REMOTE: &str = "[remote]\nroles = [\"media\"]\ndefine = [\"fleet-*\"]\n";

/// What the fleet says, with alice in a group of each host's own.
const FLEET: &str = r#"
[roles.fleet-admin]
sudo      = [{ commands = ["ALL"] }]
password  = false
eligible  = ["alice"]
approvals = 0

[[grants]]
user   = "alice"
role   = "media"
from   = 2026-01-01T00:00:00Z
until  = 2036-01-01T00:00:00Z
reason = "the fleet's media people"

[[grants]]
user   = "nobody-here"
role   = "media"
from   = 2026-01-01T00:00:00Z
until  = 2036-01-01T00:00:00Z
reason = "has no account on this host"
"#;

/// A key for each of them, and who may sign what.
fn keys(host: &Host) {
    for name in ["lead", "old", "giver", "mallory"] {
        host.ok(&format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f /root/{name}"));
    }
    // As Debian 12 makes keys, if nobody says what kind.
    host.ok("ssh-keygen -q -t rsa -N '' -C rsa -f /root/rsa");
    host.ok(
        "printf '%s %s\\n' \
         'lead@example.org namespaces=\"policy@stint\"' \"$(cat /root/lead.pub)\" \
         'rsa@example.org namespaces=\"policy@stint\"' \"$(cat /root/rsa.pub)\" \
         'old@example.org namespaces=\"policy@stint\",valid-before=\"20260101Z\"' \"$(cat /root/old.pub)\" \
         'giver@example.org namespaces=\"grant@stint,revocation@stint\"' \"$(cat /root/giver.pub)\" \
         >/etc/stint/allowed_signers",
    );
}

/// Signs a policy by a key, into `/root/NAME`.
fn sign(host: &Host, name: &str, text: &str, key: &str, options: &str) {
    if !options.contains("--serial") {
        // It is the second of the signing then, and no two are of one.
        host.ok("sleep 1.1");
    }
    host.write("/root/fleet.toml", "0644", text);
    host.ok(&format!(
        "stint policy sign /root/fleet.toml --key /root/{key} {options} -o /root/{name}"
    ));
}

/// Hands a document in, which must be refused with these words, and recorded.
#[track_caller]
fn refuse(host: &Host, name: &str, words: &str) {
    let before = rejected(host);
    let output = host.run(&format!("stint policy deliver /root/{name}"));
    assert!([1, 2, 3].contains(&output.status), "{name}: {output}");
    assert!(output.stderr.contains(words), "{name}, wanted {words}: {output}");
    eventually("the event", SOON, || (rejected(host) > before).then_some(()));
}

fn rejected(host: &Host) -> usize {
    host.ok("journalctl -t stintd STINT_EVENT=source.rejected -o cat").lines().count()
}

fn deliver(host: &Host, name: &str) -> Value {
    document(&host.ok(&format!("stint policy deliver /root/{name} --json")))
}

fn nothing_came_of_it(host: &Host) {
    assert_eq!(status(host)["remote"]["serial"], Value::Null);
    assert!(!is_in(host, "alice", "video"));
    let roles = host.ok("stint roles");
    assert!(!roles.contains("fleet-admin"), "{roles}");
}

/// Everything that is to be refused, on a host that takes nothing yet and then on one that does.
fn refusals(host: &Host) {
    sign(host, "good", FLEET, "lead", "--hosts 'web-*' --serial 5");
    refuse(host, "good", "this host takes no signed documents: its own policy has no [remote]");
    host.load_policy(&format!("{REMOTE}{OWN}"));
    host.ok("mv /etc/stint/allowed_signers /root/signers");
    refuse(host, "good", "nobody may sign anything here");
    host.ok("mv /root/signers /etc/stint/allowed_signers && chmod 0666 /etc/stint/allowed_signers");
    refuse(host, "good", "others than root may write it");
    host.ok("chmod 0644 /etc/stint/allowed_signers");

    host.ok("sed '/BEGIN SSH SIGNATURE/,$d' /root/good >/root/unsigned");
    refuse(host, "unsigned", "it is not signed, or cut off");
    host.ok("head -c 300 /root/good >/root/half");
    refuse(host, "half", "it is not signed, or cut off");
    host.ok("head -n -1 /root/good >/root/cut");
    refuse(host, "cut", "it is cut off");
    host.ok("sed 's/\"alice\"/\"carol\"/' /root/good >/root/edited");
    refuse(host, "edited", "it was changed after it was signed");
    sign(host, "unknown", FLEET, "mallory", "--hosts '*' --serial 5");
    refuse(host, "unknown", "stands in no line");
    sign(host, "bygiver", FLEET, "giver", "--hosts '*' --serial 5");
    refuse(host, "bygiver", "it may not sign as policy@stint");
    sign(host, "expired", FLEET, "old", "--hosts '*' --serial 5");
    refuse(host, "expired", "it may not sign any more");
    sign(host, "elsewhere", FLEET, "lead", "--hosts 'db-*' --serial 5");
    refuse(host, "elsewhere", "it is for db-*, and this is web-1");
    // What stint itself would not sign.
    let by_hand = |name: &str, edit: &str, key: &str, namespace: &str| {
        host.ok(&format!(
            "sed '/BEGIN SSH SIGNATURE/,$d' /root/good | sed '{edit}' >/root/{name} && \
             ssh-keygen -q -Y sign -f /root/{key} -n {namespace} /root/{name} && \
             cat /root/{name}.sig >>/root/{name}"
        ));
    };
    by_hand("file", "", "lead", "file");
    refuse(host, "file", "it is signed as \"file\"");
    by_hand("asgrant", "", "giver", "grant@stint");
    refuse(host, "asgrant", "it is signed as grant@stint and says that it is a \"policy\"");
    by_hand("gate", "$a [gate]\\nexempt = [\"alice\"]", "lead", "policy@stint");
    refuse(host, "gate", "a signed policy may not say this");
    by_hand("mine", "s/fleet-admin/shadow/", "lead", "policy@stint");
    refuse(host, "mine", "lets no signed policy bring this role");
    by_hand("admin", "s/\"media\"/\"admin\"/", "lead", "policy@stint");
    refuse(host, "admin", "lets no signed document give this role");
    let stranger = line("Deliver", "say", "web 1 65");
    refused(&outcome(&host.as_user("alice", &stranger)), "Access denied");
}

#[test]
fn a_policy_is_believed_for_its_signature_and_only_as_far_as_the_host_lets_it() {
    let mut host = gate(with_boots(builder(Suite::Bookworm, OWN)).boot());
    keys(&host);
    assert_denied(&host, &mut host.shell("alice"), "before");
    refusals(&host);
    nothing_came_of_it(&host);

    let taken = deliver(&host, "good");
    assert_eq!((&taken["outcome"], &taken["serial"]), (&"taken".into(), &5.into()), "{taken}");
    assert!(is_in(&host, "alice", "video"), "held by the signed policy");
    let held = document(&host.ok("stint list --json"));
    assert_eq!(
        (&held[0]["origin"], held.as_array().unwrap().len()),
        (&"remote".into(), 1),
        "{held}"
    );
    ask(&host, "alice", "fleet-admin").unwrap();
    assert_let_in(&host, &mut host.shell("alice"), "by a role that was signed");
    assert_eq!(deliver(&host, "good")["outcome"], "known");
    let synced = host.journal_of("STINT_EVENT=source.synced", 1, SOON);
    assert_eq!(synced[0]["STINT_ACTOR"], "lead@example.org");

    // Older, and another of the same serial: refused for ever.
    let again = |host: &Host| {
        sign(host, "older", FLEET, "lead", "--hosts '*' --serial 4");
        refuse(host, "older", "its serial 4 is older than 5");
        sign(host, "same", OWN_LESS, "lead", "--hosts '*' --serial 5");
        refuse(host, "same", "another policy had its serial 5 here");
        assert_eq!(status(host)["remote"]["serial"], 5);
        assert!(is_in(host, "alice", "video"));
    };
    again(&host);
    next_boot(&host);
    host.reboot();
    assert_eq!(status(&host)["remote"]["serial"], 5, "kept over a reboot");
    again(&host);
    assert_let_in(&host, &mut host.shell("alice"), "after a reboot");

    // Who may not sign any more is not believed any more; the serial stays.
    host.ok("sed -i.bak '/^lead/d' /etc/stint/allowed_signers && stint reload");
    assert_denied(&host, &mut host.shell("alice"), "by nobody's signature");
    assert!(!is_in(&host, "alice", "video"));
    let stands = status(&host);
    assert_eq!(stands["remote"]["serial"], Value::Null, "{stands}");
    assert!(stands["remote"]["problems"][0].as_str().unwrap().contains("stands in no line"));
    let doctor = host.run("stint doctor").stdout;
    assert!(doctor.contains("The signed policy that is kept is not in force"), "{doctor}");
    sign(&host, "rsa-older", FLEET, "rsa", "--hosts '*' --serial 4");
    refuse(&host, "rsa-older", "its serial 4 is older than 5");
    sign(&host, "rsa-6", FLEET, "rsa", "--hosts '*' --serial 6");
    assert_eq!(deliver(&host, "rsa-6")["outcome"], "taken");
    ask(&host, "alice", "fleet-admin").unwrap();
    assert_let_in(&host, &mut host.shell("alice"), "by another signer");
    // The host's own policy has the last word.
    host.load_policy(&format!("{}{OWN}", REMOTE.replace("fleet-*", "other-*")));
    assert_denied(&host, &mut host.shell("alice"), "this host lets it bring nothing");
    let out = host.run("stint status");
    assert!(out.stdout.contains("The signed policy is not in force"), "{out}");
}

/// Another policy.
const OWN_LESS: &str = "[roles.fleet-web]\ngroups = [\"video\"]\n";

/// A signed grant of `media` in `/root/NAME`; returns its id.
fn signed_grant(host: &Host, name: &str, what: &str, options: &str) -> String {
    let said = host.ok(&format!(
        "stint grant {what} --reason 'for a test' --sign /root/giver --hosts '*' {options} -o /root/{name}"
    ));
    said.rsplit_once('(').and_then(|(_, rest)| rest.split_once(')')).unwrap().0.to_owned()
}

fn revoke(host: &Host, name: &str, what: &str) {
    host.ok(&format!(
        "stint revoke {what} --reason 'left the team' --sign /root/giver --hosts '*' -o /root/{name}"
    ));
}

/// Waits until what is signed from now on is signed later than all before: documents count seconds.
fn a_second(host: &Host) {
    host.ok("sleep 1.1");
}

fn grants_and_revocations(host: &Host) {
    signed_grant(host, "root", "bob admin", "--for 1h");
    refuse(host, "root", "lets no signed document give admin");
    signed_grant(host, "long", "bob media", "--for 3h");
    refuse(host, "long", "media is given for at most 2h");
    signed_grant(host, "nobody", "nobody-here media", "--for 1h");
    refuse(host, "nobody", "nobody-here");
    let id = signed_grant(host, "bob", "bob media", "--for 1h");
    host.ok("sed 's/\"bob\"/\"carol\"/' /root/bob >/root/bent");
    refuse(host, "bent", "it was changed after it was signed");
    assert!(!is_in(host, "bob", "video"));

    assert_eq!(deliver(host, "bob")["outcome"], "taken");
    assert!(is_in(host, "bob", "video"));
    let held = listed(host, &id);
    assert_eq!(
        (&held["origin"], &held["granted_by"]),
        (&"remote".into(), &"giver@example.org".into())
    );
    assert_eq!(deliver(host, "bob")["outcome"], "known", "twice is one grant");

    // Revoked, and it stays so whoever brings it again.
    revoke(host, "bob-ends", &id);
    assert_eq!(deliver(host, "bob-ends")["outcome"], "taken");
    assert!(!is_in(host, "bob", "video"));
    assert_eq!(event_of(host, "grant.revoked", &id)["STINT_ACTOR"], "giver@example.org");
    assert_eq!(deliver(host, "bob")["outcome"], "known");
    assert_eq!(deliver(host, "bob-ends")["outcome"], "known");
    assert!(!is_in(host, "bob", "video"));

    // A revocation that comes first keeps out what was signed before it, and nothing later.
    let early = signed_grant(host, "early", "bob media", "--for 1h");
    revoke(host, "early-ends", &early);
    deliver(host, "early-ends");
    refuse(host, "early", "was revoked before it came");
    signed_grant(host, "before", "bob media", "--for 1h");
    sign(
        host,
        "policy-before",
        &FLEET.replace("user   = \"alice\"", "user   = \"bob\""),
        "lead",
        "--hosts '*'",
    );
    revoke(host, "bob-left", "--user bob");
    a_second(host);
    signed_grant(host, "after", "bob media", "--for 1h");
    deliver(host, "bob-left");
    refuse(host, "before", "was revoked before it came");
    assert_eq!(deliver(host, "after")["outcome"], "taken");
    assert!(is_in(host, "bob", "video"));
    assert_eq!(deliver(host, "bob-left")["outcome"], "known", "a revocation counts once");
    let warnings = deliver(host, "policy-before")["warnings"].to_string();
    assert!(warnings.contains("was revoked after this was signed"), "{warnings}");
    assert!(is_in(host, "bob", "video"));
    // What the host's own policy lets nobody give any more ends.
    host.load_policy(&format!("{}{OWN}", REMOTE.replace("\"media\"", "")));
    assert!(!is_in(host, "bob", "video"));
    host.load_policy(&format!("{REMOTE}{OWN}"));
    assert_eq!(deliver(host, "after")["outcome"], "known", "what has ended does not come back");
    assert!(!is_in(host, "bob", "video"));
}

#[test]
fn what_is_signed_is_given_once_ends_by_a_signature_and_grows_old() {
    let host = gate(builder(Suite::Trixie, &format!("{REMOTE}{OWN}")).boot());
    keys(&host);
    grants_and_revocations(&host);

    // The next policy is kept back by whoever carries it: this one grows old.
    sign(&host, "short", FLEET, "lead", "--hosts '*' --valid 12s");
    deliver(&host, "short");
    ask(&host, "alice", "fleet-admin").unwrap();
    assert_let_in(&host, &mut host.shell("alice"), "while it is current");
    let stale = host.journal_of("STINT_EVENT=source.stale", 1, SOON);
    assert!(stale[0]["MESSAGE"].as_str().unwrap().contains("what runs goes on"), "{stale:?}");
    assert_let_in(&host, &mut host.shell("alice"), "what runs goes on");
    assert!(is_in(&host, "alice", "video"));
    host.ok("stint revoke --user alice --reason 'for a test'");
    refused(&ask(&host, "alice", "fleet-admin"), "the signed policy is out of date");
    let given = host.run("stint grant alice fleet-admin --for 5m --reason x");
    assert!(given.stderr.contains("the signed policy is out of date"), "{given}");
    signed_grant(&host, "late", "carol media", "--for 1h");
    refuse(&host, "late", "the signed policy is out of date");
    host.ok("stint grant alice admin --for 5m --reason 'the host'\"'\"'s own'");
    let stands = status(&host);
    assert_eq!(stands["remote"]["stale"], true, "{stands}");
    let doctor = host.run("stint doctor").stdout;
    assert!(doctor.contains("is out of date since"), "{doctor}");
    // A revocation is never refused for that.
    revoke(&host, "bob-again", "--user bob");
    assert_eq!(deliver(&host, "bob-again")["outcome"], "taken");
    assert!(!is_in(&host, "bob", "video"));
    sign(&host, "next", &FLEET.replace("2036", "2035"), "lead", "--hosts '*'");
    assert!(!is_in(&host, "alice", "video"));
    deliver(&host, "next");
    assert!(is_in(&host, "alice", "video"), "what it holds is held again");
    assert_eq!(deliver(&host, "late")["outcome"], "taken");
    assert!(is_in(&host, "carol", "video"));

    // Where the host's policy wants it so, what rests on it ends with it.
    host.load_policy(&format!("{REMOTE}offline = \"nothing\"\n{OWN}"));
    ask(&host, "alice", "fleet-admin").unwrap();
    sign(&host, "last", FLEET, "lead", "--hosts '*' --valid 3s");
    deliver(&host, "last");
    eventually("the end of what was signed", SOON, || {
        (!is_in(&host, "carol", "video")).then_some(())
    });
    let all = document(&host.ok("stint list --json"));
    let signed = all.as_array().unwrap().iter().filter(|grant| grant["role"] != "admin").count();
    assert_eq!(signed, 0, "{all}");
}
