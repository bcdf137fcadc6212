//! A small fleet for the tests: three hosts of both suites, one carrier with a web server and a store,
//! the keys of those who sign, and short ways to publish and to look on every host. No test lives
//! here.

use crate::common::{SOON, is_in, status, with_boots};
use crate::sync_carrier::Carrier;
use std::thread;
use stint_tests::{Host, Network, Store, Suite, eventually, with_etcd};

/// Where the fleet's policy is fetched.
pub const POLICY_URL: &str = "https://carrier/fleet.policy";
/// Where the last revocation is.
pub const REVOKED_URL: &str = "https://carrier/latest.revoked";

/// What each host says itself: which roles a document may give, which it may bring, on which requests
/// a signed word counts, and that it tells the others.
pub const OWN: &str = r#"
[remote]
roles     = ["media"]
define    = ["fleet-*"]
approvals = ["admin"]
publish   = true

[roles.admin]
sudo      = [{ commands = ["ALL"] }]
password  = false
eligible  = ["bob"]
approvers = ["carol"]

[roles.media]
groups       = ["video"]
max_duration = "2h"
"#;

/// alice may run anything by a rule of the host's, so that the gate alone stands before root.
const STANDING: &str = "alice ALL=(ALL:ALL) NOPASSWD: ALL\n";

/// Those who sign: each has a key in the carrier, and all but mallory a line on each host.
const KEYS: &str = "cd /srv/ca && for key in old giver mallory; do \
                    ssh-keygen -q -t ed25519 -N '' -C \"$key\" -f \"$key\"; done";

/// The machines.
pub struct Fleet {
    pub carrier: Carrier,
    /// web-1 (Debian 12, and each boot another for stintd), web-2 and db-1 (Debian 13).
    pub hosts: [Host; 3],
}

impl Fleet {
    /// Boots all of them at once. The hosts have sudo gated and fetch and follow nothing yet.
    pub fn boot() -> Self {
        let network = Network::of(&["carrier", "web-1", "web-2", "db-1"]);
        let member = |suite, name| {
            Host::builder(suite)
                .hostname(name)
                .on(&network)
                .file("/etc/stint/policy.toml", 0o644, OWN)
                .file("/etc/sudoers.d/standing", 0o440, STANDING)
        };
        let [web_1, web_2, db_1] = [
            with_boots(member(Suite::Bookworm, "web-1")),
            member(Suite::Trixie, "web-2"),
            member(Suite::Trixie, "db-1"),
        ];
        let carrier = with_etcd(Host::bare(Suite::Bookworm).on(&network));
        let fleet = thread::scope(|scope| {
            let carrier = scope.spawn(|| {
                let carrier = Carrier::boot(carrier);
                let _ = Store::open(&carrier.host);
                carrier
            });
            let hosts = [web_1, web_2, db_1].map(|host| scope.spawn(|| host.boot()));
            let hosts = hosts.map(|host| host.join().expect("a host boots"));
            Self { carrier: carrier.join().expect("the carrier boots"), hosts }
        });
        fleet.carrier.host.ok(KEYS);
        for host in &fleet.hosts {
            fleet.store().admit_host(host);
        }
        let signers = fleet.signers();
        let authority = fleet.carrier.authority();
        fleet.each(|host| {
            host.write("/etc/stint/allowed_signers", "0644", &signers);
            host.write("/etc/stint/fleet-ca.pem", "0644", &authority);
            host.ok("stint reload && stint gate on sudo");
        });
        fleet
    }

    /// The store in the carrier, which knows the hosts and nobody else yet.
    pub fn store(&self) -> Store<'_> {
        Store::of(&self.carrier.host)
    }

    fn signers(&self) -> String {
        let line = |who: &str, options: &str, key: &str| {
            let key = self.carrier.host.ok(&format!("cat /srv/ca/{key}.pub"));
            format!("{who}@example.com namespaces={options} {key}")
        };
        [
            line("lead", "\"policy@stint\"", "signer"),
            line("giver", "\"grant@stint,revocation@stint\"", "giver"),
            line("old", "\"policy@stint\",valid-before=\"20260101Z\"", "old"),
        ]
        .concat()
    }

    /// The same on every host, at the same time.
    pub fn each(&self, what: impl Fn(&Host) + Sync) {
        thread::scope(|scope| {
            for host in &self.hosts {
                scope.spawn(|| what(host));
            }
        });
    }

    /// Writes sync.toml on every host, for who runs stint-sync by hand.
    pub fn configure(&self, urls: &[&str], more: &str) {
        let quoted: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
        let text = format!(
            "urls = [{}]\nevery = \"2s\"\nca_file = \"/etc/stint/fleet-ca.pem\"\n{more}",
            quoted.join(", ")
        );
        self.each(|host| host.write("/etc/stint/sync.toml", "0644", &text));
    }

    /// A policy that brings `fleet-admin`, and gives alice the role `media` of each host's own.
    pub fn policy(&self, serial: u32, not_after: &str, hosts: &str) -> String {
        format!(
            r#"[document]
kind       = "policy"
serial     = {serial}
not_before = 2026-01-01T00:00:00Z
not_after  = {not_after}
hosts      = ["{hosts}"]

[roles.fleet-admin]
sudo      = [{{ commands = ["ALL"] }}]
password  = false
eligible  = ["alice", "bob"]
approvals = 0

[[grants]]
user   = "alice"
role   = "media"
from   = 2026-01-01T00:00:00Z
until  = 2036-01-01T00:00:00Z
reason = "the fleet's media people"
"#
        )
    }

    /// The same, for all and for long, and signed as it should be.
    pub fn signed(&self, serial: u32) -> String {
        self.carrier.sign(&self.policy(serial, LONG, "*"), "signer", "policy@stint")
    }

    /// A revocation of all that a person holds, signed as it should be.
    pub fn revocation(&self, user: &str, reason: &str) -> String {
        let now = self.carrier.host.ok("date -u +%FT%TZ");
        let text = format!(
            "[document]\nkind = \"revocation\"\nnot_before = {now}hosts = [\"*\"]\n\n\
             [revocation]\nuser = \"{user}\"\nreason = \"{reason}\"\n"
        );
        self.carrier.sign(&text, "giver", "revocation@stint")
    }
}

/// Until when what is not to end is current.
pub const LONG: &str = "2030-01-01T00:00:00Z";

/// Fetches by hand, and returns what came of it.
pub fn fetch(host: &Host) -> String {
    host.run("runuser -u stint-sync -- stint-sync --once").stdout
}

/// The serial of the signed policy in force; `null` where there is none.
pub fn serial(host: &Host) -> serde_json::Value {
    status(host)["remote"]["serial"].clone()
}

/// Waits until the policy of this serial is held, with what it gives.
pub fn holds(host: &Host, wanted: u32) {
    let name = host.hostname();
    eventually(&format!("serial {wanted} on {name}"), SOON, || {
        (serial(host) == wanted).then_some(())
    });
    eventually(&format!("alice's membership on {name}"), SOON, || {
        is_in(host, "alice", "video").then_some(())
    });
}

/// How many documents were refused, as the journal has it.
pub fn rejected(host: &Host) -> usize {
    host.journal("-t stintd STINT_EVENT=source.rejected").len()
}

/// Whether sudo lets somebody in; also where the end of a grant ends that very command.
pub fn root(host: &Host, user: &str) -> bool {
    host.as_user(user, "sudo -n id -u").stdout == "0\n"
}
