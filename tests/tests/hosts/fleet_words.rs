//! A person's word for a fleet where not every host hears it: what is revoked for all ends on those
//! that are there, and the others are named and end it when they are back; an approval that comes when
//! its request has lapsed, or that lies before another host than its own, is refused there. No test
//! lives here: `fleet_hosts.rs` goes through it on its machines.

use crate::common::{SOON, document, next_boot};
use crate::fleet_ground::{Fleet, OWN, rejected, root};
use crate::workflow::{pending, text};
use std::thread;
use stint_tests::{Host, Output, Right, eventually};

/// carol, at web-2, ends what alice holds on all hosts and approves what bob asks for on db-1, while
/// web-1 is off and db-1 is cut off.
pub fn said_while_hosts_are_away(fleet: &mut Fleet) {
    settle(fleet);
    fleet.each(|host| assert!(root(host, "alice"), "{}", host.hostname()));
    let request = pending(&fleet.hosts[2], "bob", "admin");
    let (id, below) = (text(&request, "id"), "/stint/1/out/");
    for key in [format!("{below}db-1/requests/{id}"), format!("{below}web-1/grants/")] {
        eventually(&key, SOON, || fleet.store().keys(&key).first().map(drop));
    }
    assert_eq!(held(fleet, "alice"), ["db-1", "web-1", "web-2"]);

    next_boot(&fleet.hosts[0]);
    fleet.hosts[0].switch_off();
    let [_, web_2, db_1] = &fleet.hosts;
    db_1.unplug();
    thread::scope(|scope| {
        scope.spawn(|| {
            let said = carol(fleet, "stint revoke --fleet --user alice --reason 'left the team'");
            assert_eq!(said.status, 4, "{said}");
            for wanted in ["done on 1 of 3 hosts", "web-1", "db-1"] {
                assert!(said.stdout.contains(wanted), "{wanted}: {said}");
            }
        });
        scope.spawn(|| {
            let said = carol(fleet, &format!("stint approve db-1/{id} --yes"));
            assert_eq!(said.status, 4, "{said}");
            assert!(said.stdout.contains("Your word lies in the store until"), "{said}");
        });
    });
    assert!(!root(web_2, "alice") && root(db_1, "alice") && !root(db_1, "bob"));
    another_host_refuses(fleet, web_2, &format!("/stint/1/in/db-1/approvals/{id}."));

    // What bob asks for lapses, as he may not ask for it any more; and that he may again is too late.
    db_1.load_policy(&OWN.replace("eligible  = [\"bob\"]", "eligible  = [\"carol\"]"));
    let _ = db_1.journal_of("STINT_EVENT=request.lapsed", 1, SOON);
    db_1.load_policy(OWN);
    let before = rejected(db_1);
    db_1.plug_in();
    ended(db_1);
    eventually("the refusal", SOON, || (rejected(db_1) > before).then_some(()));
    assert!(!root(db_1, "bob"), "it had lapsed");
    fleet.hosts[0].switch_on();
    ended(&fleet.hosts[0]);
    eventually("nothing of alice's in the store", SOON, || {
        held(fleet, "alice").is_empty().then_some(())
    });
}

/// carol may approve and revoke, by a key and a certificate of her own.
fn settle(fleet: &Fleet) {
    let desk = &fleet.hosts[1];
    fleet.store().admit_person(desk, "carol", Right::Approver);
    let made = carol(
        fleet,
        "mkdir -m 700 ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id && \
         sed -i '1i sign_with = \"~/.ssh/id\"' ~/.config/stint/fleet.toml",
    );
    assert!(made.ok(), "{made}");
    let key = desk.ok("cat /home/carol/.ssh/id.pub");
    let line = format!("carol namespaces=\"approval@stint,revocation@stint\" {key}");
    fleet.each(|host| {
        let signers = [host.read("/etc/stint/allowed_signers"), line.clone().into_bytes()];
        host.write("/etc/stint/allowed_signers", "0644", signers.concat());
        host.ok("stint reload");
    });
}

fn carol(fleet: &Fleet, line: &str) -> Output {
    fleet.hosts[1].as_user("carol", line)
}

/// On which hosts somebody holds something, by what they publish.
fn held(fleet: &Fleet, user: &str) -> Vec<String> {
    let said = document(&carol(fleet, "stint list --fleet --json").stdout);
    let grants = said["grants"].as_array().unwrap_or_else(|| panic!("no grants: {said}"));
    let theirs = grants.iter().filter(|grant| grant["user"] == *user);
    let mut hosts: Vec<String> = theirs.map(|grant| text(grant, "host").to_owned()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Waits until what alice held has ended by carol's word.
fn ended(host: &Host) {
    let of_it = "STINT_EVENT=grant.revoked STINT_USER=alice 'STINT_REASON=left the team'";
    let entries = host.journal_of(of_it, 1, SOON);
    assert_eq!(entries[0]["STINT_ACTOR"], "carol", "{entries:?}");
    assert!(!root(host, "alice"), "{}", host.hostname());
}

/// Puts what lies before db-1 before another host, which refuses and records it.
fn another_host_refuses(fleet: &Fleet, host: &Host, prefix: &str) {
    let (store, before) = (fleet.store(), rejected(host));
    let keys = store.keys(prefix);
    let key = keys.first().unwrap_or_else(|| panic!("nothing below {prefix}"));
    let value = store.ctl(&format!("get --print-value-only '{key}'")).stdout;
    // etcdctl ends it with a line break of its own.
    let value = value.strip_suffix('\n').unwrap_or(&value);
    store.put(&key.replace("/in/db-1/", &format!("/in/{}/", host.hostname())), value);
    eventually("the refusal", SOON, || (rejected(host) > before).then_some(()));
    let refused = host.journal("-t stintd STINT_EVENT=source.rejected");
    let last = refused.last().unwrap()["MESSAGE"].as_str().unwrap();
    assert!(last.contains("it is for db-1, and this is "), "{last}");
}
