//! A fleet by its store: what the hosts' own credentials may and may not do there, what comes of it when
//! something bad lies there all the same, a store that dies, and one that does not
//! let a host in any more. No test lives here: `fleet_hosts.rs` goes through it on its machines.

use crate::common::{SOON, status};
use crate::fleet_ground::{Fleet, holds, rejected, root, serial};
use crate::workflow::ask;
use stint_tests::{Host, eventually};

const FLEET_KEY: &str = "/stint/1/fleet/policy/fleet";

/// What a host that somebody has taken over would put or read with the credentials it has.
const NOT_FOR_A_HOST: [&str; 10] = [
    "put /stint/1/fleet/policy/fleet x",
    "put /stint/1/fleet/revocations/x x",
    "put /stint/1/in/web-1/approvals/7kq2.x x",
    "put /stint/1/in/web-2/approvals/7kq2.x x",
    "put /stint/1/out/web-2/requests/7kq2 x",
    "del /stint/1/out/web-2/alive",
    "get --prefix /stint/1/out/web-2/",
    "get --prefix /stint/1/in/web-2/",
    "get --prefix /stint/1/in/web-1",
    "user grant-role web-1 publisher",
];

/// What the store itself refuses, whatever stint does.
pub fn refused_by_the_store(fleet: &Fleet) {
    let store = fleet.store();
    for line in NOT_FOR_A_HOST {
        let refused = store.ctl_as("web-1", line);
        assert!(!refused.ok() && refused.text().contains("permission denied"), "{line}: {refused}");
    }
    for line in ["put /stint/1/out/web-1/x x", "del /stint/1/out/web-1/x", "get /stint/1/fleet/x"] {
        let taken = store.ctl_as("web-1", line);
        assert!(taken.ok(), "{line}: {taken}");
    }
    // Without a certificate, and with one of another authority, nobody is spoken to.
    let line = "ETCDCTL_API=3 etcdctl --command-timeout=1s --endpoints=https://carrier:2379 \
                --cacert=/srv/store/ca.pem";
    for who in ["", "--cert=/srv/ca/stranger.pem --key=/srv/ca/stranger.key"] {
        let refused = fleet.carrier.host.run(&format!("{line} {who} get /stint/1/fleet/x"));
        assert!(!refused.ok(), "{who}: {refused}");
    }
}

/// By the store from here on, and by nothing else.
pub fn follow_the_store(fleet: &Fleet) {
    let table = fleet.store().table("/etc/stint");
    fleet.each(|host| {
        host.write("/etc/stint/sync.toml", "0644", &table);
        host.ok("stint-sync --check && systemctl restart stint-sync");
    });
}

/// Whoever owns the store itself has nothing believed; what is signed is held by all at once, and ends
/// at once.
pub fn carried_by_the_store(fleet: &Fleet) {
    let store = fleet.store();
    store.put(FLEET_KEY, fleet.signed(21));
    fleet.each(|host| holds(host, 21));
    let good = fleet.signed(22);
    let half = &good[..good.len() / 2];
    for (document, words) in [
        (fleet.signed(20), "its serial 20 is older than 21"),
        (good.replace("\"bob\"", "\"bib\""), "it was changed after it was signed"),
        (half.to_owned(), "it is not signed, or cut off"),
        ("x".repeat(1_048_577), "larger than 1 MiB"),
    ] {
        let before: Vec<usize> = fleet.hosts.iter().map(rejected).collect();
        store.put(FLEET_KEY, &document);
        fleet.each(|host| {
            eventually(words, SOON, || trouble(host, FLEET_KEY).contains(words).then_some(()));
            assert_eq!(serial(host), 21, "{}: {words}", host.hostname());
        });
        // What is larger than a document can be is not even handed to stintd.
        let refused = usize::from(document.len() <= 1_048_576);
        let now: Vec<usize> = fleet.hosts.iter().map(rejected).collect();
        assert_eq!(now, before.iter().map(|count| count + refused).collect::<Vec<_>>(), "{words}");
    }
    store.put(FLEET_KEY, good);
    fleet.each(|host| {
        holds(host, 22);
        ask(host, "bob", "fleet-admin").unwrap();
        assert!(root(host, "bob"), "{}", host.hostname());
    });
    store.put("/stint/1/fleet/revocations/1", fleet.revocation("bob", "one for all"));
    fleet.each(|host| ended(host, "bob", "one for all"));
}

/// The store is killed, and comes back; then it lets one host in no more.
pub fn without_the_store(fleet: &Fleet) {
    let (store, carrier) = (fleet.store(), &fleet.carrier.host);
    carrier.ok("systemctl kill -s KILL etcd && systemctl stop etcd");
    fleet.each(|host| {
        eventually("a trouble", SOON, || (!trouble(host, "").is_empty()).then_some(()));
        holds(host, 22);
    });
    carrier.ok("systemctl start etcd");
    store.put(FLEET_KEY, fleet.signed(23));
    fleet.each(|host| holds(host, 23));

    let [shut_out, web_2, db_1] = &fleet.hosts;
    let right = |line: &str| {
        let output = store.ctl(&format!("role {line}"));
        assert!(output.ok(), "{line}: {output}");
        shut_out.ok("systemctl restart stint-sync");
    };
    right("revoke-permission host-web-1 --prefix /stint/1/fleet/");
    store.put(FLEET_KEY, fleet.signed(24));
    for host in [web_2, db_1] {
        holds(host, 24);
    }
    let denied = "permission denied";
    eventually(denied, SOON, || trouble(shut_out, "").contains(denied).then_some(()));
    holds(shut_out, 23);
    right("grant-permission host-web-1 --prefix=true read /stint/1/fleet/");
    holds(shut_out, 24);
}

/// Waits until somebody's grant was ended by the one who signs revocations, for this reason.
fn ended(host: &Host, user: &str, reason: &str) {
    let of_it = format!("STINT_EVENT=grant.revoked STINT_USER={user} 'STINT_REASON={reason}'");
    let entries = host.journal_of(&of_it, 1, SOON);
    assert_eq!(entries[0]["STINT_ACTOR"], "giver@example.com", "{entries:?}");
    assert!(!root(host, user), "{} on {}", user, host.hostname());
}

/// What is wrong with the store, or with one key of it, as root is told; empty if nothing is.
fn trouble(host: &Host, key: &str) -> String {
    let name = if key.is_empty() { "etcd".to_owned() } else { format!("etcd:{key}") };
    let sources = status(host)["remote"]["sources"].clone();
    let source = sources.as_array().into_iter().flatten().find(|source| source["name"] == name);
    source.and_then(|source| source["error"].as_str()).unwrap_or_default().to_owned()
}
