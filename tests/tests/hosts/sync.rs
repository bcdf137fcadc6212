//! stint-sync brings documents over https and is nobody: whatever a server does, what is held stays
//! held, it is told why, once, and nothing of it has a privilege.

use crate::common::{SOON, status};
use crate::sync_carrier::Carrier;
use std::time::Duration;
use stint_tests::{Host, Network, Suite, eventually};

/// For what comes with the next look: pauses grow while something fails.
const LONG: Duration = Duration::from_secs(180);

/// What stint-sync has said of an address, the first first.
fn said(host: &Host, url: &str) -> Vec<String> {
    let entries = host.journal("_SYSTEMD_UNIT=stint-sync.service SYSLOG_IDENTIFIER=stint-sync");
    let lines = entries.iter().filter_map(|entry| entry["MESSAGE"].as_str());
    let start = format!("{url}: ");
    lines.filter_map(|line| line.strip_prefix(&start).map(str::to_owned)).collect()
}

/// Waits until it has said this of an address.
fn says(host: &Host, url: &str, what: &str) {
    eventually(&format!("{url}: {what}"), LONG, || {
        said(host, url).iter().any(|line| line.contains(what)).then_some(())
    });
}

fn configure(host: &Host, text: &str) {
    host.write("/etc/stint/sync.toml", "0644", text.as_bytes());
    host.ok("systemctl restart stint-sync");
}

/// What a hostile or broken server does, and what is said of it.
const BAD: [(&str, &str); 13] = [
    ("https://carrier:8441/fleet.policy", "certificate is for another name"),
    ("https://carrier:8442/fleet.policy", "certificate has expired"),
    ("https://carrier:8443/fleet.policy", "signed by nobody whom this host believes"),
    ("https://carrier:8444/fleet.policy", "TLS: "),
    ("https://carrier:8445/fleet.policy", "TLS: "),
    ("https://carrier:8446/fleet.policy", "takes no connections"),
    ("https://nowhere.invalid/fleet.policy", "name was not found"),
    ("https://carrier/elsewhere", "leads elsewhere (302 to \"https://evil.example/fleet.policy\")"),
    ("https://carrier/here", "leads elsewhere (301"),
    ("https://carrier/busy", "the server answers 503"),
    ("https://carrier/empty", "is empty"),
    ("https://carrier/big", "larger than 1 MiB"),
    ("https://carrier/half", "ended in the middle"),
];
/// Those that take their time over it.
const SLOW: [(&str, &str); 3] = [
    ("https://carrier/endless", "larger than 1 MiB"),
    ("https://carrier/drip", "longer than 30 s"),
    ("https://carrier:8447/fleet.policy", "connecting took longer than 10 s"),
];

fn list(urls: &[&str]) -> String {
    let quoted: Vec<String> = urls.iter().map(|url| format!("\"{url}\"")).collect();
    format!(
        "urls = [{}]\nevery = \"2s\"\nca_file = \"/etc/stint/fleet-ca.pem\"\n",
        quoted.join(", ")
    )
}

#[test]
fn whatever_a_server_does_nothing_comes_of_it_but_one_line() {
    let network = Network::of(&["carrier", "web-1"]);
    let carrier = Carrier::boot(Host::bare(Suite::Bookworm).on(&network));
    let host = Host::builder(Suite::Trixie)
        .on(&network)
        .package("ca-certificates")
        .file("/etc/stint/fleet-ca.pem", 0o644, carrier.authority())
        .file("/etc/stint/policy.toml", 0o644, POLICY)
        .boot();
    // Without a file that says where from, nothing of it runs, and nothing has failed.
    assert_eq!(host.ok("systemctl show -P ActiveState stint-sync"), "inactive\n");
    assert_eq!(host.ok("systemctl is-enabled stint-sync"), "enabled\n");
    assert_eq!(host.ok("systemctl --failed --no-legend --plain"), "");

    let urls: Vec<&str> = BAD.iter().chain(&SLOW).map(|(url, _)| *url).collect();
    configure(&host, &list(&urls));
    for (url, what) in BAD.iter().chain(&SLOW) {
        says(&host, url, what);
    }
    // Every one of them is asked again, ever more seldom, and nothing is said twice.
    eventually("a second look", SOON, || (carrier.asked(443, "/busy").len() > 1).then_some(()));
    for (url, _) in BAD {
        assert_eq!(said(&host, url).len(), 1, "{url}: {:?}", said(&host, url));
    }
    // stintd has heard of each, and says so to root.
    let sources = status(&host)["remote"]["sources"].clone();
    for (url, what) in BAD.iter().chain(&SLOW) {
        let mut sources = sources.as_array().into_iter().flatten();
        let source = sources.find(|source| source["name"] == *url);
        let error = source.and_then(|source| source["error"].as_str()).unwrap_or_default();
        assert!(error.contains(what), "{url}: {sources:?}");
    }
    let pid = host.ok("systemctl show -P MainPID stint-sync").trim().to_owned();
    let status = host.ok(&format!("grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs)' /proc/{pid}/status"));
    let account = host.ok("id -u stint-sync").trim().to_owned();
    assert!(
        status.contains(&format!("Uid:\t{account}\t{account}\t{account}\t{account}")),
        "{status}"
    );
    assert_eq!(status.matches("0000000000000000").count(), 2, "{status}");
}

const POLICY: &str = "[remote]\ndefine = [\"fleet-*\"]\n";
const URL: &str = "https://carrier/fleet.policy";

/// Waits until this role is in the policy in force.
fn has_role(host: &Host, role: &str) {
    eventually(&format!("the role {role}"), LONG, || {
        host.ok("stint roles").contains(role).then_some(())
    });
}

/// By hand, as the account that may.
fn once(host: &Host, environment: &str) -> stint_tests::Output {
    host.run(&format!("runuser -u stint-sync -- env {environment} stint-sync --once"))
}

#[test]
fn a_document_arrives_and_whatever_fails_afterwards_the_last_good_one_is_held() {
    let network = Network::of(&["carrier", "web-1"]);
    let carrier = Carrier::boot(Host::bare(Suite::Bookworm).on(&network));
    let host = Host::builder(Suite::Bookworm)
        .on(&network)
        .package("ca-certificates")
        .file("/etc/stint/fleet-ca.pem", 0o644, carrier.authority())
        .file("/etc/stint/policy.toml", 0o644, POLICY)
        .file("/etc/stint/allowed_signers", 0o644, carrier.signer())
        .boot();
    configure(&host, &list(&[URL]));
    says(&host, URL, "the server answers 404");
    assert!(!host.ok("stint roles").contains("fleet-one"));
    carrier.publish("fleet.policy", carrier.policy(1, "fleet-one"));
    has_role(&host, "fleet-one");
    says(&host, URL, "taken: ");
    // From then on it costs the server no body.
    eventually("a look that brings nothing new", LONG, || {
        carrier.asked(443, "/fleet.policy").ends_with(&[200, 304]).then_some(())
    });

    half_of_one_is_refused(&host, &carrier);
    a_server_that_was_down_is_asked_again(&host, &carrier);
    a_cut_network_costs_what_is_new_and_nothing_else(&host, &carrier);
    a_stintd_that_is_away_is_not_started_and_gets_it_later(&host, &carrier);
    by_hand(&host, &carrier);
    what_is_wrong_is_told_at_once_and_starts_nothing(&host);
    a_good_account_of_nothing(&host);
    goes_with_the_package(&host);
}

fn half_of_one_is_refused(host: &Host, carrier: &Carrier) {
    let whole = carrier.policy(2, "fleet-two");
    carrier.publish("fleet.policy", &whole.as_bytes()[..whole.len() - 40]);
    says(host, URL, "stintd refuses it: ");
    let before = carrier.asked(443, "/fleet.policy").len();
    eventually("another look", LONG, || {
        (carrier.asked(443, "/fleet.policy").len() > before).then_some(())
    });
    // It is not taken for what is held, and not fetched in a tight loop; and it is told once.
    assert!(carrier.asked(443, "/fleet.policy").ends_with(&[200]));
    assert!(carrier.asked(443, "/fleet.policy").len() - before < 4);
    let refusals = said(host, URL).iter().filter(|line| line.contains("refuses")).count();
    assert_eq!(refusals, 1, "{:?}", said(host, URL));
    assert_eq!(host.journal("STINT_EVENT=source.rejected").len(), 1);
    has_role(host, "fleet-one");
}

fn a_server_that_was_down_is_asked_again(host: &Host, carrier: &Carrier) {
    carrier.host.ok("systemctl kill -s KILL nginx && systemctl stop nginx");
    says(host, URL, "takes no connections");
    assert_eq!(trouble(host), "the server takes no connections");
    has_role(host, "fleet-one");
    carrier.publish("fleet.policy", carrier.policy(2, "fleet-two"));
    carrier.host.ok("systemctl start nginx");
    has_role(host, "fleet-two");
    assert!(!host.ok("stint roles").contains("fleet-one"));
}

fn a_cut_network_costs_what_is_new_and_nothing_else(host: &Host, carrier: &Carrier) {
    host.unplug();
    carrier.publish("fleet.policy", carrier.policy(3, "fleet-three"));
    eventually("a trouble", LONG, || {
        let last = said(host, URL).pop().unwrap_or_default();
        (last.contains("connecting took longer")
            || last.contains("nreachable")
            || last.contains("No route to host")
            || last.contains("does not answer"))
        .then_some(())
    });
    has_role(host, "fleet-two");
    host.plug_in();
    has_role(host, "fleet-three");
}

fn a_stintd_that_is_away_is_not_started_and_gets_it_later(host: &Host, carrier: &Carrier) {
    host.ok("systemctl stop stintd.socket stintd.service 2>&1");
    carrier.publish("fleet.policy", carrier.policy(4, "fleet-four"));
    says(host, URL, "fetched, and not handed over: stintd does not run");
    assert_eq!(host.ok("systemctl show -P ActiveState stintd.service"), "inactive\n");
    host.ok("systemctl start stintd.socket stintd.service");
    has_role(host, "fleet-four");
    assert_eq!(trouble(host), "");
}

fn by_hand(host: &Host, carrier: &Carrier) {
    host.ok("systemctl stop stint-sync");
    let as_root = host.run("stint-sync --once");
    assert_eq!(as_root.status, 1, "{as_root}");
    assert!(as_root.stderr.contains("runuser -u stint-sync"), "{as_root}");
    // The environment bends nothing.
    let done = once(host, "https_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1");
    assert_eq!((done.status, done.stdout), (0, format!("{URL}: nothing new\n")));
    // A proxy that is named is gone through, and TLS is with the server.
    assert!(!carrier.host.run("test -e /var/log/proxy").ok());
    let proxied = format!("{}proxy = \"http://carrier:3128\"\n", list(&[URL]));
    host.write("/etc/stint/sync.toml", "0644", proxied.as_bytes());
    assert!(once(host, "").ok(), "{}", once(host, ""));
    assert!(carrier.host.ok("cat /var/log/proxy").starts_with("carrier:443\n"));
    // The host's own list of authorities counts where no file is named, as it is at that moment.
    let listed = format!("urls = [\"{URL}\"]\n");
    host.write("/etc/stint/sync.toml", "0644", listed.as_bytes());
    let refused = once(host, "");
    assert!(
        !refused.ok() && refused.stdout.contains("nobody whom this host believes"),
        "{refused}"
    );
    let add = "cp /etc/stint/fleet-ca.pem /usr/local/share/ca-certificates/fleet.crt";
    host.ok(&format!("{add} && update-ca-certificates 2>&1"));
    assert!(once(host, "").ok(), "{}", once(host, ""));
}

fn what_is_wrong_is_told_at_once_and_starts_nothing(host: &Host) {
    host.write("/etc/stint/sync.toml", "0644", b"urls = [\"http://carrier/\"]\nevry = \"1m\"\n");
    let check = host.run("stint-sync --check");
    assert_eq!(check.status, 78, "{check}");
    for wanted in
        ["sync.toml:1:9: urls: ", "sync.toml:2:1: evry: unknown key", "did you mean every?"]
    {
        assert!(check.stderr.contains(wanted), "{wanted}: {check}");
    }
    // It may have ended before systemctl looks.
    let _ = host.run("systemctl restart stint-sync");
    eventually("its end", SOON, || {
        (host.ok("systemctl show -P ActiveState stint-sync") == "failed\n").then_some(())
    });
    assert_eq!(host.ok("systemctl show -P NRestarts stint-sync"), "0\n");
    host.write("/etc/stint/sync.toml", "0664", list(&[URL]).as_bytes());
    let check = host.run("stint-sync --check");
    assert_eq!(check.status, 78, "{check}");
    assert!(check.stderr.contains("chmod go-w"), "{check}");
    host.ok("chmod 0644 /etc/stint/sync.toml");
    assert_eq!(
        host.ok("stint-sync --check"),
        "/etc/stint/sync.toml is in order: one address, every 2s\n"
    );
    let mistyped = host.run("stint-sync --onec");
    assert_eq!(mistyped.status, 2, "{mistyped}");
    assert!(mistyped.stderr.contains("\"--onec\" is not understood"), "{mistyped}");
}

/// What the account may do on the bus, and what everybody else may not.
fn a_good_account_of_nothing(host: &Host) {
    let call = "busctl call org.stint.Stint1 /org/stint/Stint1 org.stint.Stint1";
    for method in ["Status", "Roles", "Pending"] {
        let denied = host.run(&format!("runuser -u stint-sync -- {call} {method}"));
        assert!(denied.text().to_lowercase().contains("denied"), "{method}: {denied}");
    }
    let unsigned = host.run(&format!("runuser -u stint-sync -- {call} Deliver say here 1 65"));
    assert!(!unsigned.ok() && !unsigned.text().contains("enied"), "{unsigned}");
    let theirs = host.as_user("alice", &format!("{call} Deliver say here 1 65"));
    assert!(theirs.text().to_lowercase().contains("denied"), "{theirs}");
    has_role(host, "fleet-four");
}

/// What stintd says of the source, which stint-sync has told it.
fn trouble(host: &Host) -> String {
    let sources = status(host)["remote"]["sources"].clone();
    let source = sources.as_array().into_iter().flatten().find(|source| source["name"] == URL);
    let source = source.unwrap_or_else(|| panic!("it is not known: {sources}"));
    source["error"].as_str().unwrap_or_default().to_owned()
}

fn goes_with_the_package(host: &Host) {
    host.ok("systemctl restart stint-sync");
    assert_eq!(host.ok("systemctl is-active stint-sync"), "active\n");
    host.ok("dpkg --remove stint 2>&1");
    assert!(!host.run("pgrep -u stint-sync").ok(), "it still runs");
    assert_eq!(host.run("systemctl is-active stint-sync").stdout, "inactive\n");
    assert!(!host.run("test -e /usr/sbin/stint-sync").ok());
}
