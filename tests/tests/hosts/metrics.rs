//! Numbers for monitoring: right, harmless, in the form that Prometheus' own tools and Debian's node
//! exporter read, and the dashboard and the alerts ask for nothing that is not there.

use crate::common::{SOON, builder, event_of, gate, grant, id};
use crate::workflow::{approve, ask, pending};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[approvals]
authenticate = false

[audit]
readers = ["carol"]

[roles.admin]
sudo = [{ commands = ["ALL"] }]
eligible = ["alice"]
approvers = ["bob"]
password = false

[roles.idle]
groups = ["games"]
eligible = ["carol"]
approvals = 0
"#;

const FILE: &str = "/var/lib/prometheus/node-exporter/stint.prom";
const DASHBOARD: &str =
    include_str!("../../../packaging/root/usr/share/stint/grafana-dashboard.json");
const RULES: &str =
    include_str!("../../../packaging/root/usr/share/doc/stint/examples/prometheus/stint.rules.yml");
const DOCUMENTED: &str = include_str!("../../../docs/metrics.md");

/// The samples of an exposition, by name and labels as they are written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        (name.to_owned(), value)
    };
    let all: Vec<(String, f64)> = lines.map(sample).collect();
    let by_name: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(all.len(), by_name.len(), "a sample twice:\n{text}");
    by_name
}

fn asked(host: &Host) -> BTreeMap<String, f64> {
    samples(&host.ok("stint metrics"))
}

/// The names of stint's metrics that stand in a text.
fn named(text: &str) -> BTreeSet<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !letter(c)).filter(|word| word.starts_with("stint_"));
    words.map(str::to_owned).collect()
}

/// Every `expr` and `query` of a dashboard.
fn queries<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str() {
                    Some(text) if key == "expr" || key == "query" => found.push(text),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

/// A host with promtool and the node exporter; Prometheus itself has nothing to do.
fn with_prometheus() -> Host {
    let builder = builder(Suite::Bookworm, POLICY);
    let host = gate(builder.package("prometheus").package("prometheus-node-exporter").boot());
    host.ok("systemctl disable --quiet --now prometheus.service");
    host
}

/// What happens on a host in a day, in a few seconds.
fn live(host: &Host) {
    let mut alice = host.shell("alice");
    assert_ne!(alice.run("sudo -n true").status, 0);
    let request = pending(host, "alice", "admin");
    approve(host, "bob", &request).expect("the approval");
    assert_eq!(alice.run("sudo -n true").status, 0);
    host.ok("stint revoke --all --reason 'a \"test\"\nstint_alarms 7'");
    // She may not have this one.
    ask(host, "alice", "idle").expect_err("a refusal");
    let short = grant(host, "carol idle --for 2s");
    event_of(host, "grant.expired", id(&short));
    grant(host, "carol idle --for 1h");
    host.write("/etc/stint/policy.d/bad.toml", "0644", "x = 1\n");
    assert_ne!(host.run("stint reload").status, 0);
}

fn assert_counted(host: &Host) {
    let counted = eventually("the end to be counted", SOON, || {
        let counted = asked(host);
        (counted["stint_grant_end_lateness_seconds_count"] == 1.0).then_some(counted)
    });
    for (name, value) in [
        ("stint_up", 1.0),
        ("stint_checks_total{service=\"sudo\",result=\"denied\"}", 1.0),
        ("stint_checks_total{service=\"sudo\",result=\"allowed\"}", 1.0),
        ("stint_checks_total{service=\"sudo\",result=\"observed\"}", 0.0),
        ("stint_requests_total{state=\"created\"}", 1.0),
        ("stint_requests_total{state=\"granted\"}", 1.0),
        ("stint_requests_total{state=\"denied\"}", 0.0),
        ("stint_requests_total{state=\"refused\"}", 1.0),
        ("stint_requests_pending", 0.0),
        ("stint_request_approval_seconds_count", 1.0),
        ("stint_request_approval_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("stint_grants_started_total", 3.0),
        ("stint_grants_ended_total{reason=\"expired\"}", 1.0),
        ("stint_grants_ended_total{reason=\"revoked\"}", 1.0),
        ("stint_grant_end_lateness_seconds_bucket{le=\"+Inf\"}", 1.0),
        ("stint_grant_ends_delayed_total", 0.0),
        ("stint_grants_active{role=\"admin\"}", 0.0),
        ("stint_grants_active{role=\"idle\"}", 1.0),
        ("stint_policy_loads_total{result=\"loaded\"}", 1.0),
        ("stint_policy_loads_total{result=\"rejected\"}", 1.0),
        ("stint_policy_refused", 1.0),
        ("stint_gate_enforcing", 1.0),
        ("stint_alarms", 0.0),
        ("stint_record_lost_total{where=\"log\"}", 0.0),
        ("stint_events_total{event=\"request.approved\"}", 1.0),
    ] {
        assert_eq!(counted.get(name), Some(&value), "{name} of {counted:#?}");
    }
    let links = host.ok("stint log --json | wc -l").trim().parse::<f64>().unwrap();
    assert_eq!(asked(host)["stint_record_last_link"], links);
}

#[test]
fn numbers_are_right_and_harmless_and_the_tools_of_prometheus_take_them() {
    let host = with_prometheus();
    let refused = host.as_user("alice", "stint metrics");
    let why = "stint: Metrics is root's, and theirs who may read the record\n";
    assert_eq!((refused.status, refused.text().as_str()), (3, why));
    live(&host);
    assert_counted(&host);
    assert_eq!(host.as_user("carol", "stint metrics >/dev/null").status, 0, "a reader");

    let text = host.ok("stint metrics");
    for secret in ["alice", "bob", "carol", "for a test", "a \\\"test"] {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
    let judged = host.run("stint metrics | promtool check metrics");
    assert_eq!((judged.status, judged.text().as_str()), (0, ""), "{text}");
    let rules = "/usr/share/doc/stint/examples/prometheus/stint.rules.yml";
    host.ok(&format!("promtool check rules {rules}"));

    assert_asks_for_what_is_there(&host);
    assert_documented(&text);

    host.ok("systemctl restart stintd.service");
    let anew = asked(&host);
    assert_eq!(anew["stint_grants_started_total"], 0.0);
    assert!(anew["stint_start_time_seconds"] > samples(&text)["stint_start_time_seconds"]);
    assert_eq!(anew["stint_grants_active{role=\"idle\"}"], 1.0);
}

/// The dashboard and the alerts name no metric that is not there, and promtool understands what the
/// dashboard asks.
fn assert_asks_for_what_is_there(host: &Host) {
    let there: BTreeSet<String> = asked(host)
        .keys()
        .map(|sample| sample.split('{').next().unwrap_or_default().to_owned())
        .collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("a dashboard");
    let mut wanted = Vec::new();
    queries(&dashboard, &mut wanted);
    assert!(wanted.len() > 20, "{wanted:?}");
    for query in wanted.iter().chain([&RULES]) {
        let missing: Vec<_> = named(query).difference(&there).cloned().collect();
        assert!(missing.is_empty(), "no such metric: {missing:?}, in {query}");
    }
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, query) in wanted.iter().filter(|query| !query.starts_with("label_")).enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$instance", ".*");
        if named(&query).is_empty() {
            continue;
        }
        writeln!(rules, "  - {{ record: \"a:{number}\", expr: '{query}' }}").unwrap();
    }
    host.write("/root/dashboard.yml", "0600", &rules);
    host.ok("promtool check rules /root/dashboard.yml");
}

/// docs/metrics.md has each metric once, and no other.
fn assert_documented(text: &str) {
    let families: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    let documented: BTreeSet<String> = DOCUMENTED
        .lines()
        .filter_map(|line| line.strip_prefix("| `stint_"))
        .filter_map(|rest| rest.split('`').next().map(|name| format!("stint_{name}")))
        .collect();
    assert_eq!(families, documented);
}

/// What the node exporter says of stint, with the collector's own verdict.
fn scraped(host: &Host) -> Option<BTreeMap<String, f64>> {
    let get = "import urllib.request as r; \
               print(r.urlopen('http://127.0.0.1:9100/metrics', timeout=10).read().decode())";
    let answer = host.run(&format!("python3 -c \"{get}\""));
    let of_stint =
        |line: &&str| line.starts_with("stint_") || line.starts_with("node_textfile_scrape_error");
    let lines: Vec<&str> = answer.stdout.lines().filter(of_stint).collect();
    answer.ok().then(|| samples(&lines.join("\n")))
}

#[test]
fn the_node_exporter_of_debian_reads_what_the_timer_writes() {
    let host = with_prometheus();
    assert_eq!(host.run("systemctl is-enabled stint-metrics.timer").stdout, "disabled\n");
    let judged = host.ok("systemd-analyze security --no-pager stint-metrics.service | tail -n 1");
    let score = judged.split("stint-metrics.service: ").nth(1);
    let score = score.and_then(|rest| rest.split(' ').next()).and_then(|word| word.parse().ok());
    assert!(score.is_some_and(|score: f64| score <= 1.5), "{judged}");

    grant(&host, "carol idle --for 1h");
    host.ok("systemctl enable --now stint-metrics.timer");
    let seen = eventually("what the node exporter says", SOON, || {
        scraped(&host).filter(|seen| seen.contains_key("stint_up"))
    });
    assert_eq!(seen["node_textfile_scrape_error"], 0.0, "{seen:#?}");
    assert_eq!(seen["stint_up"], 1.0);
    assert_eq!(seen["stint_grants_active{role=\"idle\"}"], 1.0, "{seen:#?}");
    assert_eq!(host.ok(&format!("stat -c '%a %U' {FILE}")), "644 root\n");

    // One that is stopped is said to be, and stays so.
    host.ok("systemctl stop stintd.socket stintd.service && systemctl start stint-metrics.service");
    assert_eq!(samples(&host.ok(&format!("cat {FILE}"))), samples("stint_up 0"));
    assert_eq!(scraped(&host).map(|seen| seen["stint_up"]), Some(0.0));
    assert_eq!(host.run("stint metrics").status, 69);
    assert_eq!(host.run("systemctl is-active stintd.service").stdout, "inactive\n");
    assert_eq!(host.ok("systemctl list-units --failed --no-legend --plain 'stint*'"), "");
    host.ok(
        "systemctl start stintd.socket stintd.service && systemctl start stint-metrics.service",
    );
    assert_eq!(scraped(&host).map(|seen| seen["stint_up"]), Some(1.0));

    host.ok("ln -s /dev/null /run/link");
    let link = host.run("stint metrics --output /run/link");
    let why = "stint: \"/run/link\" is no ordinary file, so it is left as it is\n";
    assert_eq!((link.status, link.text().as_str()), (2, why));
    let nowhere = host.run("stint metrics --output /nowhere/stint.prom");
    assert_eq!(nowhere.status, 1, "{nowhere}");
    assert!(nowhere.stderr.starts_with("stint: /nowhere/stint.prom: opening its folder failed"));

    host.ok("DEBIAN_FRONTEND=noninteractive dpkg --purge stint >/dev/null 2>&1");
    assert_eq!(host.run(&format!("test -e {FILE}")).status, 1, "it would say for ever how it was");
    let left = host.ok("find /etc/systemd /lib/systemd -name 'stint*'");
    assert_eq!(left, "");
}
