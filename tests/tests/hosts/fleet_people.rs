//! From a workstation, over a real store, to a host whose own stintd judges: who asks on the one is let in
//! by a signature that was made on the other, and by nothing else; and shut out again from there.

use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, Network, Right, Store, Suite, eventually, with_etcd};

use crate::common::{SOON, assert_let_in, document, gate};
use crate::workflow::UNASKED;

/// For what comes once a lease has run out, or a connection is made again.
const LONG: Duration = Duration::from_secs(180);

const POLICY: &str = r#"
[remote]
publish   = true
approvals = ["admin"]

[roles.admin]
sudo      = [{ commands = ["ALL"] }]
password  = false
eligible  = ["alice"]
approvers = ["bob", "carol"]
approvals = 2
"#;

/// A key on the workstation, and its line for web-1.
fn key(desk: &Host, person: &str, namespaces: &str) -> String {
    let made = desk.as_user(
        person,
        "mkdir -p -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && \
         sed -i '1i sign_with = \"~/.ssh/id_ed25519\"' ~/.config/stint/fleet.toml",
    );
    assert!(made.ok(), "{made}");
    let key = desk.ok(&format!("cat ~{person}/.ssh/id_ed25519.pub"));
    format!("{person} namespaces=\"{namespaces}\" {key}")
}

/// What somebody types on the workstation, which ends so and says this.
#[track_caller]
fn says(desk: &Host, person: &str, line: &str, status: i32, wanted: &str) -> String {
    let output = desk.as_user(person, line);
    let text = output.text();
    assert!(output.status == status && text.contains(wanted), "{person}: {line}: {output}");
    text
}

/// A request of alice's on web-1, once the store has it: HOST/ID.
fn asked(web: &Host, desk: &Host) -> String {
    let ask = "stint request admin --for 20m --reason 'disk full' --json";
    let request = document(&web.as_user("alice", ask).stdout);
    let id = request["id"].as_str().unwrap_or_else(|| panic!("{request}")).to_owned();
    eventually("the request in the store", LONG, || {
        desk.as_user("carol", "stint pending --fleet").stdout.contains(&id).then_some(())
    });
    format!("web-1/{id}")
}

#[test]
fn a_request_of_one_host_is_decided_from_another_by_signatures_alone() {
    let network = Network::of(&["carrier", "web-1", "desk"]);
    let carrier = with_etcd(Host::bare(Suite::Bookworm).hostname("carrier").on(&network)).boot();
    let web = Host::builder(Suite::Trixie)
        .hostname("web-1")
        .on(&network)
        .file("/etc/stint/policy.toml", 0o644, format!("{UNASKED}{POLICY}"))
        .file("/etc/sudoers.d/standing", 0o440, "alice ALL=(ALL:ALL) NOPASSWD: ALL\n")
        .boot();
    let desk = Host::builder(Suite::Bookworm).hostname("desk").on(&network).boot();
    let store = Store::open(&carrier);
    store.admit_host(&web);
    for (person, right) in
        [("alice", Right::Approver), ("bob", Right::Approver), ("carol", Right::Publisher)]
    {
        store.admit_person(&desk, person, right);
    }
    // On the workstation no stintd runs, and none is started.
    desk.ok("systemctl mask --now stintd.service stintd.socket");
    let signers = [
        key(&desk, "alice", "approval@stint"),
        key(&desk, "bob", "approval@stint"),
        key(&desk, "carol", "approval@stint,revocation@stint,policy@stint"),
    ];
    web.write("/etc/stint/allowed_signers", "0644", signers.concat());
    web.write("/etc/stint/sync.toml", "0644", store.table("/etc/stint"));
    web.ok("stint reload && systemctl restart stint-sync");
    let web = gate(web);

    two_words_let_alice_in(&web, &desk);
    what_is_held_is_ended_from_there(&web, &desk);
    a_no_and_what_the_host_does_not_let(&web, &desk);
    a_host_that_was_away_does_it_when_it_comes_back(&web, &desk);
}

fn two_words_let_alice_in(web: &Host, desk: &Host) {
    let name = asked(web, desk);
    let approve = format!("stint approve {name} --yes");
    // Her own, although she may write there and her key may sign.
    says(desk, "alice", &approve, 3, "stint: web-1 refuses it: ");
    says(desk, "bob", &approve, 0, "Your approval counts.");
    // The same once more is no second word.
    says(desk, "bob", &approve, 0, "web-1 has taken it");
    let mut shell = web.shell("alice");
    let denied = shell.run("sudo -n id -u");
    assert!(!denied.ok(), "one of two: {denied}");
    says(desk, "carol", &approve, 0, "On web-1: alice has admin for 20m (");
    assert_let_in(web, &mut shell, "after two words from elsewhere");
    let events = web.journal_of("STINT_EVENT=request.approved", 2, SOON);
    let by: Vec<_> = events.iter().map(|event| event["STINT_ACTOR"].as_str()).collect();
    assert_eq!(by, [Some("bob"), Some("carol")]);
}

fn what_is_held_is_ended_from_there(web: &Host, desk: &Host) {
    eventually("the grant in the store", LONG, || {
        let shown = desk.as_user("bob", "stint list --fleet --user alice");
        (shown.stdout.contains("web-1") && shown.stdout.contains("bob, carol")).then_some(())
    });
    // Whose key may not sign it ends nothing, whatever the store lets him write.
    let revoke = "stint revoke --fleet --user alice --reason 'left the team'";
    let said = says(desk, "bob", revoke, 3, "published, and done on no host yet");
    assert!(said.contains("Refused by web-1: "), "{said}");
    assert!(web.as_user("alice", "sudo -n true").ok());
    says(desk, "carol", revoke, 0, "The end of what alice holds: done on 1 host.");
    assert!(!web.as_user("alice", "sudo -n true").ok());
}

fn a_no_and_what_the_host_does_not_let(web: &Host, desk: &Host) {
    let name = asked(web, desk);
    let deny = format!("stint deny {name} --reason 'not on a Friday'");
    says(desk, "bob", &deny, 0, "You denied");
    let all = document(&desk.as_user("bob", "stint pending --fleet --json").stdout);
    assert_eq!(all["requests"], Value::Array(Vec::new()), "{all}");
    says(desk, "carol", &format!("stint approve {name} --yes"), 3, "bob denied");
    // A signed policy reaches it, and is judged there: it may bring no role.
    says(
        desk,
        "carol",
        "printf '[roles.fleet-x]\\nservices = [\"su\"]\\n' >x.toml && stint policy sign x.toml \
         --key ~/.ssh/id_ed25519 --hosts '*' -o x.policy && stint policy publish x.policy",
        3,
        "Refused by web-1: ",
    );
}

fn a_host_that_was_away_does_it_when_it_comes_back(web: &Host, desk: &Host) {
    let name = asked(web, desk);
    web.unplug();
    eventually("the store to miss it", LONG, || {
        let shown = desk.as_user("bob", "stint pending --fleet");
        shown.stdout.contains("Away, and shown as they last were: web-1").then_some(())
    });
    for person in ["bob", "carol"] {
        says(desk, person, &format!("stint approve {name} --yes"), 4, "web-1 is away.");
    }
    assert!(!web.as_user("alice", "sudo -n true").ok());
    web.plug_in();
    eventually("sudo on web-1", LONG, || web.as_user("alice", "sudo -n true").ok().then_some(()));
}
