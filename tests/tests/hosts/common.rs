//! What several promises share: a gated host, and short ways to grant, to look and to wait. No
//! test lives here, and nothing here is a promise.

use serde_json::Value;
use std::time::Duration;
use stint_tests::{Host, HostBuilder, Output, Shell, Suite, eventually};

/// How long something is waited for that comes by itself: generous, for a machine that is busy.
pub const SOON: Duration = Duration::from_secs(60);

/// What alice is told at a gate that no grant opens, where she may ask for nothing that would.
pub const DENIED: &str = "stint: no role in the policy of web-1 would open sudo for you.\n";

/// A standing rule, so that the gate alone stands between alice and root.
const STANDING: &str = "alice ALL=(ALL:ALL) NOPASSWD: ALL\n";

/// A host with this policy, and with alice's standing rule, to be told more about.
pub fn builder(suite: Suite, policy: &str) -> HostBuilder {
    Host::builder(suite).file("/etc/stint/policy.toml", 0o644, policy).file(
        "/etc/sudoers.d/standing",
        0o440,
        STANDING,
    )
}

/// Puts the gate on sudo of a host that has booted with a good policy.
pub fn gate(host: Host) -> Host {
    let status = status(&host);
    assert_eq!(status["policy_problem"], Value::Null, "{status}");
    host.ok("stint gate on sudo");
    host
}

/// A host with this policy, alice's standing rule, and the gate on sudo.
pub fn gated(suite: Suite, policy: &str) -> Host {
    gate(builder(suite, policy).boot())
}

/// The programs of a suite that are gated as sudo, never asking.
pub fn sudos(suite: Suite) -> &'static [&'static str] {
    if suite.has_sudo_rs() { &["sudo -n", "sudo-rs -n"] } else { &["sudo -n"] }
}

/// Grants, as in `grant(&host, "alice admin --for 1h")`, and returns the grant's document.
pub fn grant(host: &Host, what: &str) -> Value {
    document(&host.ok(&format!("stint grant {what} --reason 'for a test' --json")))
}

/// The id in a grant's document.
pub fn id(grant: &Value) -> &str {
    grant["id"].as_str().unwrap_or_else(|| panic!("no grant: {grant}"))
}

/// Reads a JSON document.
pub fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("no document, {e}: {text}"))
}

/// `stint status --json`, as root.
pub fn status(host: &Host) -> Value {
    document(&host.ok("stint status --json"))
}

/// The texts of the alarms that stand.
pub fn alarms(host: &Host) -> Vec<String> {
    let status = status(host);
    let alarms = status["alarms"].as_array().unwrap_or_else(|| panic!("no alarms: {status}"));
    alarms.iter().map(|alarm| alarm["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits until no alarm stands.
pub fn quiet(host: &Host) {
    eventually("the end of all alarms", SOON, || alarms(host).is_empty().then_some(()));
}

/// The grant of this id, running or ended.
pub fn listed(host: &Host, id: &str) -> Value {
    let all = document(&host.ok("stint list --all --json"));
    let found = all.as_array().into_iter().flatten().find(|grant| grant["id"] == *id);
    found.unwrap_or_else(|| panic!("no grant {id}: {all}")).clone()
}

/// Waits until the journal has this event of this grant.
pub fn event_of(host: &Host, event: &str, id: &str) -> Value {
    let matches = format!("STINT_EVENT={event} STINT_GRANT={id}");
    host.journal_of(&matches, 1, SOON).swap_remove(0)
}

/// What is said of a command that a signal of the polite kind ended.
const ENDED: [&str; 2] = ["Terminated", "Hangup"];

/// Whether a new process of this user is in this group. One that is just being ended for a group
/// which is no longer theirs says nothing, and another is asked.
pub fn is_in(host: &Host, user: &str, group: &str) -> bool {
    let output = eventually("who a new process is", SOON, || {
        let output = host.as_user(user, "id -Gn");
        assert!(output.ok() || ENDED.iter().any(|word| output.stderr.contains(word)), "{output}");
        output.ok().then_some(output)
    });
    output.stdout.split_whitespace().any(|name| name == group)
}

/// Whether the sudo rule file is there.
pub fn has_rules(host: &Host) -> bool {
    host.run("test -e /etc/sudoers.d/stint").ok()
}

/// What was shown, line by line, without what only a terminal needs.
pub fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_matches('\r').trim_end());
    lines.filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

/// Asserts that a command failed and that each of these lines stands in what it said. sudo and
/// sudo-rs put words of their own around them.
pub fn assert_says(output: &Output, lines: &str, what: &str) {
    assert_ne!(output.status, 0, "{what}: {output}");
    let shown = plain(&output.text());
    for line in lines.lines() {
        let told = shown.lines().any(|shown| shown.trim_start_matches("[sudo error] ") == line);
        assert!(told, "{what}, wanted:\n{line}\nbut: {output}");
    }
}

/// Asserts that every gated sudo denies alice in this open shell, and tells her what to do.
pub fn assert_denied(host: &Host, shell: &mut Shell, when: &str) {
    for sudo in sudos(host.suite()) {
        let output = shell.run(&format!("{sudo} id -u"));
        assert_says(&output, DENIED, &format!("{sudo}, {when}"));
    }
}

/// Asserts that every gated sudo lets somebody in, in this open shell.
pub fn assert_let_in(host: &Host, shell: &mut Shell, when: &str) {
    for sudo in sudos(host.suite()) {
        let output = shell.run(&format!("{sudo} id -u"));
        assert_eq!((output.status, plain(&output.stdout).as_str()), (0, "0\n"), "{sudo}, {when}");
    }
}

/// The process of the daemon; `0` where none runs.
pub fn daemon(host: &Host) -> String {
    host.ok("systemctl show -P MainPID stintd.service").trim().to_owned()
}

/// Kills the daemon as nothing in it can prevent, and returns once it is dead. systemd starts it
/// again a second later.
pub fn kill(host: &Host) {
    let pid = daemon(host);
    assert_ne!(pid, "0", "stintd does not run");
    host.ok(&format!("kill -KILL {pid}"));
    eventually("the end of stintd", SOON, || (daemon(host) != pid).then_some(()));
}

/// A Bookworm host whose boots differ for stintd too, as those of a real host do: a container has
/// the boot id of the machine, and that stays over a reboot of the host, as does its uptime.
pub fn with_boots(builder: HostBuilder) -> HostBuilder {
    const DROP_IN: &str =
        "[Service]\nBindReadOnlyPaths=/etc/this-boot:/proc/sys/kernel/random/boot_id\n";
    let drop_in = |builder: HostBuilder, unit: &str| {
        builder.file(&format!("/etc/systemd/system/{unit}.d/boot.conf"), 0o644, DROP_IN)
    };
    let builder = drop_in(drop_in(builder, "stintd.service"), "stint-sweep.service");
    let first = "7f1b6b1e-0000-4000-8000-000000000001\n";
    builder.own_uptime().file("/etc/this-boot", 0o644, first)
}

/// From its next start on, the daemon is of another boot.
pub fn next_boot(host: &Host) {
    host.ok("cat /proc/sys/kernel/random/uuid >/etc/this-boot.new && mv /etc/this-boot.new /etc/this-boot");
}
