//! A fleet: what people sign is held on every host, whatever carries it; what is bad is refused on every
//! host and recorded, and the last good one is held, though the carrier lies, keeps back, or dies.

use crate::common::{SOON, is_in, status};
use crate::fleet_ground::{
    Fleet, LONG, POLICY_URL, REVOKED_URL, fetch, holds, rejected, root, serial,
};
use crate::fleet_store::{
    carried_by_the_store, follow_the_store, refused_by_the_store, without_the_store,
};
use crate::fleet_words::said_while_hosts_are_away;
use crate::workflow::{ask, refused};
use stint_tests::{Host, eventually};

/// What is published instead of a good policy, and what each host says of it.
fn bad(fleet: &Fleet) -> Vec<(String, &'static str)> {
    let sign = |text: &str, key, namespace| fleet.carrier.sign(text, key, namespace);
    let text = |serial, hosts| fleet.policy(serial, LONG, hosts);
    let (good, policy) = (fleet.signed(6), "policy@stint");
    let middle = good.len() / 2;
    vec![
        (fleet.signed(4), "its serial 4 is older than 5"),
        (
            sign(&fleet.policy(5, "2031-01-01T00:00:00Z", "*"), "signer", policy),
            "another policy had its serial 5 here",
        ),
        (sign(&text(6, "*"), "mallory", policy), "stands in no line"),
        (sign(&text(6, "*"), "giver", policy), "it may not sign as policy@stint"),
        (sign(&text(6, "*"), "signer", "grant@stint"), "it may not sign as grant@stint"),
        (sign(&text(6, "*"), "signer", "file"), "it is signed as \"file\""),
        (sign(&text(6, "*"), "old", policy), "it may not sign any more"),
        (sign(&text(6, "mail-*"), "signer", policy), "it is for mail-*, and this is "),
        (good.replace("\"bob\"", "\"bib\""), "it was changed after it was signed"),
        (good[..middle].to_owned(), "it is not signed, or cut off"),
    ]
}

/// What a server does instead of serving, and what each host says of it.
const HOSTILE: [(&str, &str); 4] = [
    ("https://carrier/elsewhere", "leads elsewhere (302 to \"https://evil.example/fleet.policy\")"),
    ("https://carrier/endless", "larger than 1 MiB"),
    ("https://carrier/half", "ended in the middle"),
    ("https://carrier:8441/fleet.policy", "certificate is for another name"),
];

#[test]
fn what_is_signed_is_held_on_every_host_and_nothing_else_whatever_carries_it() {
    let mut fleet = Fleet::boot();
    fleet.each(|host| {
        assert!(!root(host, "alice"), "{}", host.hostname());
        assert!(!is_in(host, "alice", "video"));
    });
    refused_by_all(&fleet);
    another_for_each(&fleet);
    kept_back(&fleet);
    carried_by_itself(&fleet);
    refused_by_the_store(&fleet);
    follow_the_store(&fleet);
    carried_by_the_store(&fleet);
    without_the_store(&fleet);
    said_while_hosts_are_away(&mut fleet);
}

/// By a web server: each bad one is refused on each host, recorded, and the last good one held.
fn refused_by_all(fleet: &Fleet) {
    fleet.configure(&[POLICY_URL], "");
    fleet.carrier.publish("fleet.policy", fleet.signed(5));
    fleet.each(|host| {
        let said = fetch(host);
        assert!(said.contains("taken: "), "{}: {said}", host.hostname());
        holds(host, 5);
        ask(host, "bob", "fleet-admin").unwrap();
        ask(host, "alice", "fleet-admin").unwrap();
        assert!(root(host, "alice"), "by a role that was signed, on {}", host.hostname());
    });
    for (count, (document, words)) in bad(fleet).iter().enumerate() {
        fleet.carrier.publish("fleet.policy", document);
        fleet.each(|host| {
            let (name, said) = (host.hostname(), fetch(host));
            assert!(said.contains("stintd refuses it: "), "{name}, {words}: {said}");
            assert!(said.contains(words), "{name}, wanted {words}: {said}");
            eventually("the record of it", SOON, || (rejected(host) == count + 1).then_some(()));
            assert_eq!(serial(host), 5, "{name}, {words}");
        });
    }
    let urls = HOSTILE.map(|(url, _)| url);
    fleet.configure(&urls, "");
    fleet.each(|host| {
        let said = fetch(host);
        for (url, words) in HOSTILE {
            let line = said.lines().find(|line| line.starts_with(&format!("{url}: ")));
            assert!(line.is_some_and(|line| line.contains(words)), "{url}, {words}: {said}");
        }
        holds(host, 5);
        assert!(root(host, "alice"), "what was given goes on, on {}", host.hostname());
    });
    fleet.configure(&[POLICY_URL], "");
}

/// What is for some hosts is held by those, and the others keep what they have.
fn another_for_each(fleet: &Fleet) {
    let web = fleet.carrier.sign(&fleet.policy(7, LONG, "web-*"), "signer", "policy@stint");
    fleet.carrier.publish("fleet.policy", web);
    fleet.each(|host| {
        let said = fetch(host);
        if host.hostname() == "db-1" {
            assert!(said.contains("it is for web-*, and this is db-1"), "{said}");
            holds(host, 5);
        } else {
            holds(host, 7);
        }
    });
}

/// A carrier that keeps serving the old one, and one that is dead, are found out by age alone.
fn kept_back(fleet: &Fleet) {
    let until = fleet.carrier.host.ok("date -u -d '+15 seconds' +%FT%TZ");
    let short = fleet.policy(8, until.trim(), "*");
    fleet.carrier.publish("fleet.policy", fleet.carrier.sign(&short, "signer", "policy@stint"));
    fleet.each(|host| {
        let said = fetch(host);
        assert!(said.contains("taken: "), "{}: {said}", host.hostname());
        host.ok("stint revoke --user bob --reason 'for a test'");
        ask(host, "bob", "fleet-admin").unwrap();
        host.ok("stint revoke --user bob --reason 'for a test'");
    });
    fleet.each(|host| {
        let name = host.hostname();
        let stale = host.journal_of("STINT_EVENT=source.stale", 1, SOON);
        assert!(stale[0]["MESSAGE"].as_str().unwrap().contains("what runs goes on"), "{stale:?}");
        let said = fetch(host);
        assert!(said.contains("its time is over, since "), "{name}: {said}");
        assert_eq!(status(host)["remote"]["stale"], true, "{name}");
        refused(&ask(host, "bob", "fleet-admin"), "the signed policy is out of date");
        assert!(root(host, "alice"), "what runs goes on, on {name}");
        assert!(is_in(host, "alice", "video"), "{name}");
    });
    fleet.carrier.publish("fleet.policy", fleet.signed(9));
    fleet.each(|host| {
        fetch(host);
        holds(host, 9);
        assert_eq!(status(host)["remote"]["stale"], false);
        ask(host, "bob", "fleet-admin").unwrap();
    });
}

/// By the service, as it runs everywhere: the web server is killed, and back with what was published
/// meanwhile; one host has lost its line.
fn carried_by_itself(fleet: &Fleet) {
    fleet.configure(&[POLICY_URL, REVOKED_URL], "");
    fleet.each(|host| {
        host.ok("systemctl restart stint-sync");
    });
    let [_, _, cut_off] = &fleet.hosts;
    fleet.carrier.host.ok("systemctl kill -s KILL nginx && systemctl stop nginx");
    cut_off.unplug();
    let [web_1, web_2, _] = &fleet.hosts;
    for host in [web_1, web_2] {
        eventually("a trouble", SOON, || (!trouble(host).is_empty()).then_some(()));
        holds(host, 9);
    }
    fleet.carrier.publish("fleet.policy", fleet.signed(10));
    fleet.carrier.publish("latest.revoked", fleet.revocation("bob", "left the team"));
    fleet.carrier.host.ok("systemctl start nginx");
    for host in [web_1, web_2] {
        holds(host, 10);
        eventually("the end", SOON, || (!root(host, "bob")).then_some(()));
    }
    assert!(root(cut_off, "bob"), "{} has heard of nothing", cut_off.hostname());
    cut_off.plug_in();
    holds(cut_off, 10);
    eventually("the end", SOON, || (!root(cut_off, "bob")).then_some(()));
}

/// What is wrong with the policy's source, as root is told; empty if nothing is.
fn trouble(host: &Host) -> String {
    let sources = status(host)["remote"]["sources"].clone();
    let source = sources.as_array().into_iter().flatten().find(|s| s["name"] == POLICY_URL);
    source.and_then(|source| source["error"].as_str()).unwrap_or_default().to_owned()
}
