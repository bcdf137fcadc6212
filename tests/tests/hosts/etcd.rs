//! stint-sync follows a real etcd: what is put there for a host is with it at once, over every loss of
//! the store; what is for others or for nobody changes nothing, and what a store is full of fills nothing
//! here.

use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, Network, Store, Suite, eventually, with_etcd};

use crate::common::{SOON, document, is_in, status};

/// For what comes with another try: pauses grow while something fails.
const LONG: Duration = Duration::from_secs(180);

const POLICY: &str = r#"
[remote]
roles  = ["media"]
define = ["fleet-*"]

[roles.media]
groups       = ["video"]
max_duration = "2h"
"#;

/// A store, and a host that follows it and may sign.
struct Fleet<'a> {
    store: Store<'a>,
    carrier: &'a Host,
    host: &'a Host,
}

fn carrier(network: &Network) -> Host {
    with_etcd(Host::bare(Suite::Bookworm).hostname("carrier").on(network)).boot()
}

fn web(network: &Network) -> Host {
    let host = Host::builder(Suite::Trixie)
        .hostname("web-1")
        .on(network)
        .file("/etc/stint/policy.toml", 0o644, POLICY)
        .boot();
    for name in ["lead", "giver", "mallory"] {
        host.ok(&format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f /root/{name}"));
    }
    host.ok("printf '%s %s\\n' \
         'lead@example.org namespaces=\"policy@stint\"' \"$(cat /root/lead.pub)\" \
         'giver@example.org namespaces=\"grant@stint,revocation@stint\"' \"$(cat /root/giver.pub)\" \
         >/etc/stint/allowed_signers");
    host
}

impl Fleet<'_> {
    /// Signs a policy that brings this role, for these hosts.
    fn policy(&self, serial: u32, role: &str, hosts: &str) -> Vec<u8> {
        let text = format!(
            "[roles.{role}]\nsudo = [{{ commands = [\"/usr/bin/true\"] }}]\neligible = [\"alice\"]\n"
        );
        self.host.write("/root/fleet.toml", "0644", text);
        self.host.ok("rm -f /root/out");
        self.host.ok(&format!(
            "stint policy sign /root/fleet.toml --key /root/lead --serial {serial} --hosts '{hosts}' \
             --valid 7d -o /root/out"
        ));
        self.host.read("/root/out")
    }

    /// Signs a grant of `media` to alice, or a revocation of what she holds.
    fn grant(&self, key: &str, hosts: &str) -> Vec<u8> {
        self.sign(&format!("grant alice media --for 1h --sign /root/{key}"), hosts)
    }

    fn revocation(&self, hosts: &str) -> Vec<u8> {
        self.sign("revoke --user alice --sign /root/giver", hosts)
    }

    fn sign(&self, what: &str, hosts: &str) -> Vec<u8> {
        // A document that is signed in the second of a revocation is revoked by it.
        self.host.ok("sleep 1.1; rm -f /root/out");
        let line = format!("stint {what} --reason 'for a test' --hosts '{hosts}' -o /root/out");
        self.host.ok(&line);
        self.host.read("/root/out")
    }

    /// Does something in the store as its root.
    fn ctl(&self, line: &str) -> String {
        let output = self.store.ctl(line);
        assert!(output.ok(), "{line}: {output}");
        output.stdout
    }

    /// What came of a document, as the host says in the store.
    fn answer(&self, bytes: &[u8]) -> Option<Value> {
        self.host.write("/root/digest", "0600", bytes);
        let digest = self.host.ok("sha256sum </root/digest");
        let key = format!("/stint/1/out/web-1/answers/{}", &digest[..16]);
        let found = self.store.ctl(&format!("get --print-value-only '{key}'"));
        (!found.stdout.trim().is_empty()).then(|| document(&found.stdout))
    }

    #[track_caller]
    fn answers(&self, bytes: &[u8], outcome: &str, words: &str) {
        let answer =
            eventually(&format!("the answer {outcome}: {words}"), SOON, || self.answer(bytes));
        assert_eq!(answer["outcome"], outcome, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }

    fn has_role(&self, role: &str) {
        eventually(&format!("the role {role}"), LONG, || {
            self.host.ok("stint roles").contains(role).then_some(())
        });
    }

    fn holds(&self, wanted: bool) {
        eventually(&format!("alice in video: {wanted}"), LONG, || {
            (is_in(self.host, "alice", "video") == wanted).then_some(())
        });
    }

    /// What stintd says of a source.
    fn source(&self, name: &str) -> Option<Value> {
        let sources = status(self.host)["remote"]["sources"].clone();
        let mut sources = sources.as_array().into_iter().flatten();
        sources.find(|source| source["name"] == name).cloned()
    }

    fn trouble(&self, name: &str, words: &str) {
        eventually(&format!("{name}: {words}"), LONG, || {
            let source = self.source(name)?;
            source["error"].as_str()?.contains(words).then_some(())
        });
    }

    fn is_well(&self, name: &str) {
        eventually(&format!("{name} is well"), LONG, || {
            self.source(name)?["error"].is_null().then_some(())
        });
    }

    fn rejected(&self) -> usize {
        self.host.journal("STINT_EVENT=source.rejected").len()
    }

    /// As it is configured; looked for again so seldom that nothing here comes of looking.
    fn follow(&self) {
        let text = format!("every = \"1h\"\n\n{}", self.store.table("/etc/stint"));
        self.host.write("/etc/stint/sync.toml", "0644", text);
        self.host.ok("systemctl restart stint-sync");
    }
}

#[test]
fn what_is_put_into_the_store_is_with_the_host_at_once_whatever_happens_to_the_store() {
    let network = Network::of(&["carrier", "web-1"]);
    let (carrier, host) = (carrier(&network), web(&network));
    let fleet = Fleet { store: Store::open(&carrier), carrier: &carrier, host: &host };

    whoever_may_nothing_is_told_so_and_is_let_in_later(&fleet);
    a_grant_comes_and_a_revocation_ends_it(&fleet);
    what_is_bad_or_for_others_changes_nothing(&fleet);
    a_store_that_was_away_is_picked_up(&fleet);
    what_the_store_forgot_is_read_anew(&fleet);
    a_stintd_that_was_away_gets_it(&fleet);
    a_full_store_fills_nothing(&fleet);
}

fn whoever_may_nothing_is_told_so_and_is_let_in_later(fleet: &Fleet<'_>) {
    let policy = fleet.policy(1, "fleet-one", "*");
    fleet.store.put("/stint/1/fleet/policy/all", &policy);
    fleet.store.admit_host(fleet.host);
    fleet.ctl("role revoke-permission host-web-1 --prefix=true /stint/1/in/web-1/");
    fleet.follow();
    fleet.trouble("etcd", "/stint/1/in/web-1/ cannot be read: the store says: permission denied");
    assert!(!fleet.host.ok("stint roles").contains("fleet-one"));
    fleet.ctl("role grant-permission host-web-1 --prefix=true read /stint/1/in/web-1/");
    fleet.has_role("fleet-one");
    fleet.is_well("etcd");
    fleet.answers(&policy, "taken", "");
}

fn a_grant_comes_and_a_revocation_ends_it(fleet: &Fleet<'_>) {
    let grant = fleet.grant("giver", "web-1");
    fleet.store.put("/stint/1/in/web-1/grants/one", &grant);
    fleet.holds(true);
    fleet.answers(&grant, "taken", "media");
    let revocation = fleet.revocation("*");
    fleet.store.put("/stint/1/fleet/revocations/alice", &revocation);
    fleet.holds(false);
    fleet.answers(&revocation, "taken", "1 grant ended here");
    // The same once more is nothing new, and told so to nobody twice.
    fleet.store.put("/stint/1/fleet/revocations/again", &revocation);
    let policy = fleet.policy(2, "fleet-two", "*");
    fleet.store.put("/stint/1/fleet/policy/all", &policy);
    fleet.has_role("fleet-two");
    fleet.answers(&revocation, "taken", "1 grant ended here");
}

fn what_is_bad_or_for_others_changes_nothing(fleet: &Fleet<'_>) {
    let before = fleet.rejected();
    // For others: not even looked at, where that is said plainly and lies with what is for many.
    let others = fleet.grant("giver", "db-*");
    fleet.store.put("/stint/1/fleet/grants/others", &others);
    fleet.store.put("/stint/1/in/web-1/grants/others", &others);
    fleet.answers(&others, "refused", "it is for db-*, and this is web-1");
    eventually("the record", SOON, || (fleet.rejected() == before + 1).then_some(()));
    assert!(fleet.source("etcd:/stint/1/fleet/grants/others").is_none());

    let strange = fleet.grant("mallory", "web-1");
    fleet.store.put("/stint/1/in/web-1/grants/strange", &strange);
    fleet.answers(&strange, "refused", "stands in no line");
    let mut bent = fleet.grant("giver", "web-1");
    let at = bent.windows(10).position(|text| text == b"for a test").unwrap();
    bent[at] = b'F';
    fleet.store.put("/stint/1/fleet/grants/bent", &bent);
    fleet.answers(&bent, "refused", "it was changed after it was signed");
    fleet.store.put("/stint/1/fleet/notes/of-nobody", b"good morning");
    fleet.answers(b"good morning", "refused", "it is not signed");
    let big = vec![b'x'; 1_400_000];
    fleet.store.put("/stint/1/fleet/policy/big", &big);
    fleet.trouble("etcd:/stint/1/fleet/policy/big", "larger than 1 MiB");
    fleet.answers(&big, "refused", "larger than 1 MiB");
    assert!(!is_in(fleet.host, "alice", "video"));
    // What is deleted is no trouble any more.
    fleet.ctl("del --prefix /stint/1/in/web-1/");
    fleet.ctl("del --prefix /stint/1/fleet/policy/big");
    eventually("no trouble of what is gone", SOON, || {
        let gone = |name| fleet.source(name).is_none();
        (gone("etcd:/stint/1/in/web-1/grants/strange") && gone("etcd:/stint/1/fleet/policy/big"))
            .then_some(())
    });
    fleet.is_well("etcd");
}

fn a_store_that_was_away_is_picked_up(fleet: &Fleet<'_>) {
    fleet.carrier.ok("systemctl kill -s KILL etcd; systemctl stop etcd");
    fleet.trouble("etcd", "the server takes no connections");
    fleet.has_role("fleet-two");
    fleet.carrier.ok("systemctl start etcd");
    let policy = fleet.policy(3, "fleet-three", "web-1");
    fleet.store.put("/stint/1/fleet/policy/all", &policy);
    fleet.has_role("fleet-three");
    fleet.is_well("etcd");
    // A line that is cut says nothing: that is noticed too.
    fleet.host.unplug();
    let policy = fleet.policy(4, "fleet-four", "web-1");
    fleet.store.put("/stint/1/fleet/policy/all", &policy);
    eventually("a trouble", LONG, || (!fleet.source("etcd")?["error"].is_null()).then_some(()));
    fleet.host.plug_in();
    fleet.has_role("fleet-four");
    // Nothing of it was read anew: what had come before was not offered again.
    let said = fleet.host.ok("journalctl -u stint-sync -o cat");
    assert_eq!(said.matches("etcd:/stint/1/fleet/grants/bent: ").count(), 1, "{said}");
}

fn what_the_store_forgot_is_read_anew(fleet: &Fleet<'_>) {
    fleet.host.unplug();
    eventually("a trouble", LONG, || (!fleet.source("etcd")?["error"].is_null()).then_some(()));
    let grant = fleet.grant("giver", "web-*");
    fleet.store.put("/stint/1/fleet/grants/late", &grant);
    fleet.store.put("/stint/1/fleet/later", b"x");
    let found = document(&fleet.ctl("get /stint/1/fleet/later -w json"));
    fleet.ctl(&format!("compaction {}", found["header"]["revision"]));
    fleet.host.plug_in();
    fleet.holds(true);
}

fn a_stintd_that_was_away_gets_it(fleet: &Fleet<'_>) {
    fleet.host.ok("systemctl stop stintd.socket stintd.service 2>&1");
    fleet.store.put("/stint/1/fleet/revocations/more", fleet.revocation("web-1"));
    eventually("its word", SOON, || {
        let said = fleet.host.ok("journalctl -u stint-sync -o cat");
        said.contains("etcd: fetched, and not handed over: stintd does not run").then_some(())
    });
    assert_eq!(fleet.host.ok("systemctl show -P ActiveState stintd.service"), "inactive\n");
    fleet.host.ok("systemctl start stintd.socket stintd.service");
    fleet.holds(false);
}

/// Thousands of bad ones, and more than may be signed for nothing: the good one is found among them.
fn a_full_store_fills_nothing(fleet: &Fleet<'_>) {
    let before = fleet.rejected();
    let put = "for batch in $(seq 30); do { echo; for n in $(seq 100); do \
               echo \"put /stint/1/fleet/grants/g$batch-$n $(head -c 300 /dev/zero | tr '\\0' x)\"; \
               done; echo; echo; } | ";
    let put = format!("{put}{} >/dev/null; done", fleet.store.line("root", "txn"));
    fleet.carrier.ok(&put);
    let grant = fleet.grant("giver", "web-1");
    fleet.store.put("/stint/1/fleet/grants/zz", &grant);
    fleet.holds(true);
    let rejected = fleet.rejected() - before;
    assert!(rejected <= 20, "{rejected} were recorded one by one");
    let said = fleet.host.ok("journalctl -u stint-sync -o cat").lines().count();
    assert!(said < 200, "{said} lines");
    let sources = status(fleet.host)["remote"]["sources"].as_array().unwrap().len();
    assert!(sources <= 20, "{sources} sources");
    let peak = fleet
        .host
        .ok("grep VmHWM /proc/$(systemctl show -P MainPID stint-sync)/status | tr -dc 0-9");
    assert!(peak.parse::<u32>().unwrap() < 64 * 1024, "{peak} kB");
    // All of it again, by hand.
    fleet.host.ok("systemctl stop stint-sync");
    let once = fleet.host.run_with(
        "runuser -u stint-sync -- stint-sync --once",
        b"",
        Duration::from_secs(300),
    );
    assert_eq!(once.status, 1, "{once}");
    assert!(once.stdout.contains(" documents handed over"), "{once}");
    assert!(once.stdout.contains("etcd:/stint/1/fleet/grants/bent: stintd refuses it: "), "{once}");
    assert_eq!(fleet.host.ok("systemctl show -P Result stint-sync"), "success\n");
}

#[test]
fn a_store_that_cannot_prove_itself_is_told_nothing_and_tells_nothing() {
    let network = Network::of(&["carrier", "web-1"]);
    let (carrier, host) = (carrier(&network), web(&network));
    let fleet = Fleet { store: Store::open(&carrier), carrier: &carrier, host: &host };
    fleet.store.admit_host(&host);
    fleet.follow();
    fleet.is_well("etcd");
    host.ok("systemctl stop stint-sync");
    assert_eq!(
        host.ok("stint-sync --check"),
        "/etc/stint/sync.toml is in order: a store at https://carrier:2379\n"
    );
    assert_eq!(once(&host, 0), "etcd: 0 documents handed over\n");

    files_that_are_wrong_are_told(&fleet);
    neither_side_believes_a_stranger(&fleet);
    the_script_sets_up_rights(&fleet);
}

fn once(host: &Host, status: i32) -> String {
    let once = host.run("runuser -u stint-sync -- stint-sync --once");
    assert_eq!(once.status, status, "{once}");
    once.stdout
}

fn files_that_are_wrong_are_told(fleet: &Fleet<'_>) {
    let host = fleet.host;
    host.ok("cp -a /etc/stint /root/stint");
    for (spoil, wanted) in [
        (
            "chmod 0644 etcd-client.key",
            "key_file: /etc/stint/etcd-client.key: everybody can use it",
        ),
        ("rm etcd-client.key", "key_file: /etc/stint/etcd-client.key: there is no such file"),
        ("echo nothing >etcd-client.pem", "etcd-client.pem: there is no certificate (PEM) in it"),
        ("echo nothing >etcd-client.key", "etcd-client.key: it is no key to the certificate"),
        ("rm etcd-ca.pem", "ca_file: /etc/stint/etcd-ca.pem: there is no such file"),
        ("cp etcd-ca.pem etcd-client.pem", "etcd-client.key: it is no key to the certificate"),
    ] {
        host.ok(&format!("cd /etc/stint && {spoil}"));
        let check = host.run("stint-sync --check");
        assert_eq!(check.status, 78, "{spoil}: {check}");
        assert!(check.stderr.contains(wanted), "{spoil}, wanted {wanted}: {check}");
        assert!(once(host, 1).contains(wanted), "{spoil}");
        host.ok("rm -rf /etc/stint && cp -a /root/stint /etc/stint");
    }
    // root's alone: root can read it, and the account that needs it cannot.
    host.ok("chown root:root /etc/stint/etcd-client.key && chmod 0600 /etc/stint/etcd-client.key");
    assert!(once(host, 1).contains("key_file: /etc/stint/etcd-client.key: "), "{}", once(host, 1));
    host.ok("rm -rf /etc/stint && cp -a /root/stint /etc/stint");
}

fn neither_side_believes_a_stranger(fleet: &Fleet<'_>) {
    let (carrier, host) = (fleet.carrier, fleet.host);
    let make = "set -eu; cd /srv/store; key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
        openssl req -x509 $key -days 9 -subj /CN=other-ca -keyout other-ca.key -out other-ca.pem
        openssl req -x509 $key -days 9 -subj /CN=web-1 -CA other-ca.pem -CAkey other-ca.key \
            -addext basicConstraints=CA:FALSE -keyout strange.key -out strange.pem
        faketime 2020-01-01 openssl req -x509 $key -days 9 -subj /CN=web-1 -CA ca.pem -CAkey ca.key \
            -addext basicConstraints=CA:FALSE -keyout expired.key -out expired.pem
        openssl req -x509 $key -days 9 -subj /CN=nobody -CA ca.pem -CAkey ca.key \
            -addext basicConstraints=CA:FALSE -keyout nobody.key -out nobody.pem
        openssl req -x509 $key -days 9 -subj /CN=x -CA ca.pem -CAkey ca.key -addext \
            basicConstraints=CA:FALSE -addext subjectAltName=DNS:elsewhere -keyout other.key -out other.pem";
    carrier.ok(&format!("({make}) 2>&1"));
    for (name, wanted) in [
        ("strange", "it may have expired, or be signed by nobody whom the store believes"),
        ("expired", "it may have expired, or be signed by nobody whom the store believes"),
        ("nobody", "/stint/1/fleet/ cannot be read: the store says: "),
    ] {
        for file in ["pem", "key"] {
            let bytes = carrier.read(&format!("/srv/store/{name}.{file}"));
            host.write(&format!("/etc/stint/etcd-client.{file}"), "0640", bytes);
        }
        host.ok("chown root:stint-sync /etc/stint/etcd-client.*");
        assert!(once(host, 1).contains(wanted), "{name}, wanted {wanted}: {}", once(host, 1));
    }
    host.ok("rm -rf /etc/stint && cp -a /root/stint /etc/stint");
    let ca = carrier.read("/srv/store/other-ca.pem");
    host.write("/etc/stint/etcd-ca.pem", "0644", ca);
    assert!(once(host, 1).contains("signed by nobody whom this host believes"));
    host.ok("rm -rf /etc/stint && cp -a /root/stint /etc/stint");
    // A server that has a certificate of this authority, for another name.
    carrier.ok("cd /srv/store && cp -a server.pem kept.pem && cp -a server.key kept.key && \
                cat other.pem >server.pem && cat other.key >server.key && systemctl restart etcd");
    assert!(
        once(host, 1).contains("the server's certificate is for another name"),
        "{}",
        once(host, 1)
    );
    carrier.ok("cd /srv/store && mv kept.pem server.pem && mv kept.key server.key && \
                systemctl restart etcd");
    assert_eq!(once(host, 0), "etcd: 0 documents handed over\n");
}

/// What an administrator runs gives the rights that all of this stands on, and says what it cannot do.
fn the_script_sets_up_rights(fleet: &Fleet<'_>) {
    let setup = |line: &str| fleet.store.setup(line);
    for line in ["init", "init", "host db-1 db-2", "host db-1", "approver carol", "publisher dora"]
    {
        assert!(setup(line).ok(), "{line}: {}", setup(line));
    }
    for (line, status, wanted) in [
        ("", 2, "Usage: etcd-setup init"),
        ("hots db-1", 2, "hots is not understood"),
        ("host", 1, "host: whom?"),
        ("host root", 1, "root is who sets this up"),
        ("host '../x'", 1, "../x is no name"),
        ("approver db-1", 1, "db-1 is there already, as host-db-1"),
        ("host carol", 1, "carol is there already, as approver"),
    ] {
        let output = setup(line);
        assert_eq!(output.status, status, "{line}: {output}");
        assert!(output.stderr.contains(wanted), "{line}: {output}");
    }
    let listed = setup("list").stdout;
    for line in ["carol\tapprover\n", "db-1\thost-db-1\n", "dora\tpublisher\n", "root\troot\n"] {
        assert!(listed.contains(line), "{listed}");
    }
    let host = fleet.store.ctl("role get host-db-1").stdout;
    assert_eq!(host.matches("prefix /stint/1/").count(), 4, "{host}");
    let writes = host.split("KV Write:").nth(1).unwrap();
    assert_eq!(writes.matches("prefix").count(), 1, "{host}");
    assert!(writes.contains("prefix /stint/1/out/db-1/"), "{host}");
    let approver = fleet.store.ctl("role get approver").stdout;
    assert!(!approver.contains("fleet/policy/"), "{approver}");
    assert!(setup("remove db-1 carol db-1").stdout.contains("there is no db-1"));
    assert!(!setup("list").stdout.contains("carol"));
}
