//! What was started with a privilege ends with it: the shells that are open, what they left in the
//! background, what hides from signals; whatever becomes of the daemon meanwhile. What stint did
//! not give is not touched.

use crate::common::{SOON, builder, event_of, gate, gated, grant, id, kill};
use serde_json::Value;
use stint_tests::{Host, Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
grace    = "2s"
services = ["su", "doas"]

[roles.left]
sudo      = [{ commands = ["ALL"] }]
password  = false
on_expiry = "leave"

[roles.warned]
sudo        = [{ commands = ["ALL"] }]
password    = false
warn_before = ["10m", "55m"]

[roles.slow]
sudo     = [{ commands = ["ALL"] }]
password = false
grace    = "5s"

[roles.remote]
services = ["sshd"]
grace    = "1s"

[roles.media]
groups = ["audio"]
grace  = "1s"
"#;

/// Starts, in the background, one that goes when asked, one in a session of its own, and one that
/// hears nothing; and stays.
const BUSY: &str = "sleep 6001 & setsid sleep 6002 & \
     setsid sh -c 'trap \"\" TERM HUP; sleep 6003; sleep 6003' & echo busy; wait";

fn pids(host: &Host, pattern: &str) -> Vec<String> {
    let found = host.run(&format!("pgrep -xf '(/usr/bin/)?{pattern}'"));
    found.stdout.lines().map(str::to_owned).collect()
}

fn wait_for(host: &Host, pattern: &str, count: usize) {
    eventually(&format!("{count} of {pattern:?}"), SOON, || {
        (pids(host, pattern).len() == count).then_some(())
    });
}

fn scopes(host: &Host) -> String {
    // One that goes while it is looked at is as good as gone.
    host.run("find /sys/fs/cgroup -name 'stint-*.scope' -type d").stdout
}

fn message(entry: &Value) -> String {
    entry["MESSAGE"].as_str().unwrap_or_default().to_owned()
}

fn all_that_a_session_started_ends_with_its_grant(suite: Suite) {
    let host = gated(suite, POLICY);
    let mut ways = vec![
        ("sudo -n", ""),
        ("sudo -n", "Defaults use_pty\n"),
        ("sudo -n", "Defaults !use_pty\n"),
    ];
    if suite.has_sudo_rs() {
        ways.push(("sudo-rs -n", ""));
    }
    for (sudo, defaults) in ways {
        host.ok(&format!(
            "printf '%s' '{defaults}' >/etc/sudoers.d/pty; chmod 440 /etc/sudoers.d/pty"
        ));
        let given = grant(&host, "alice admin --for 1h");
        let mut shell = host.shell("alice");
        shell.start(&format!("{sudo} sh -c '{}'", BUSY.replace('\'', r"'\''")));
        shell.expect("busy");
        for pattern in ["sleep 6001", "sleep 6002", "sleep 6003"] {
            wait_for(&host, pattern, 1);
        }
        let scope = scopes(&host);
        let inside = scope.strip_prefix("/sys/fs/cgroup/user.slice/user-1000.slice/");
        let name = format!("stint-{}-", id(&given));
        let is_named = |inside: &str| {
            inside.starts_with(&name)
                || inside.starts_with("session-") && inside.contains(&format!("/{name}"))
        };
        assert!(inside.is_some_and(is_named), "{scope}");
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        shell.finish();
        for pattern in ["sleep 6001", "sleep 6002", "sleep 6003"] {
            wait_for(&host, pattern, 0);
        }
        let ended = message(&event_of(&host, "session.terminated", id(&given)));
        assert!(ended.contains("by SIGKILL") && ended.contains("sleep ("), "{sudo}: {ended}");
        eventually("the end of the scope", SOON, || scopes(&host).is_empty().then_some(()));
        assert!(shell.run("true").ok(), "the shell that was hers without stint goes on");
        event_of(&host, "session.closed", id(&given));
    }
}

fn su_and_doas_end_too(suite: Suite) {
    let host = gated(suite, POLICY);
    host.ok("echo 'permit nopass alice as root' >/etc/doas.conf; stint gate on su doas");
    for how in ["doas sh -c 'sleep 6010'", "su root -c 'sleep 6010'"] {
        let given = grant(&host, "alice admin --for 1h");
        host.ok("echo root:pw-root | chpasswd");
        let mut shell = host.shell("alice");
        shell.start(how);
        if how.starts_with("su") {
            shell.expect("Password:");
            // What is typed before su has turned the echo off is thrown away.
            host.ok("sleep 0.5");
            shell.type_line("pw-root");
        }
        eventually("the command", SOON, || (!pids(&host, "sleep 6010").is_empty()).then_some(()));
        host.ok(&format!("stint revoke {} --reason over", id(&given)));
        wait_for(&host, "sleep 6010", 0);
        shell.finish();
        event_of(&host, "session.terminated", id(&given));
    }
}

fn by_its_role_a_session_goes_on_and_is_named(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice left --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sleep 6020");
    wait_for(&host, "sleep 6020", 1);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    let left = message(&event_of(&host, "session.left", id(&given)));
    assert!(left.contains(&format!("sleep ({})", pids(&host, "sleep 6020")[0])), "{left}");
    assert!(host.journal("STINT_EVENT=session.terminated").is_empty());
    host.ok("pkill -xf 'sleep 6020'");
    shell.finish();
}

fn sessions_are_warned_on_their_terminal(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice warned --for 55m2s");
    let mut shell = host.shell("alice");
    // As it is after a login; the test's own has root's.
    let tty = shell.run("tty").stdout;
    host.ok(&format!("chown alice:tty {tty}"));
    shell.start("sudo -n sleep 6030");
    let shown = shell.expect("this session ends with it");
    assert!(shown.contains("stint: warned ends in 55 min ("), "{shown}");
    let keep = format!("To keep it:  stint extend {} --for 15m", id(&given));
    shell.expect(&keep);
    event_of(&host, "session.warned", id(&given));
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    shell.expect("is over; this session ends now");
    shell.finish();
    let warned = host.journal("STINT_EVENT=session.warned");
    assert_eq!(warned.len(), 1, "once, though two warnings were due or past: {warned:?}");
}

fn whoever_carries_the_group_is_ended_and_nobody_else(suite: Suite, backend: &str) {
    let policy = format!("[groups]\nbackend = \"{backend}\"\n{POLICY}");
    let host = gate(builder(suite, &policy).boot());
    let mut before = host.shell("alice");
    // A service may give her the group: that is not stint's to take.
    host.ok("systemd-run -q -p User=alice -p SupplementaryGroups=audio sleep 6040");
    wait_for(&host, "sleep 6040", 1);
    let given = grant(&host, "alice media --for 1h");
    let mut during = host.shell("alice");
    assert!(during.run("id -Gn").stdout.contains("audio"));
    during.run("setsid sh -c 'trap \"\" TERM HUP; sleep 6041; sleep 6041' >/dev/null 2>&1 &");
    wait_for(&host, "sleep 6041", 1);
    if backend == "files" {
        // sg looks into /etc/group itself: a way for a shell from before to come by it.
        before.run("sg audio 'exec sleep 6042' >/dev/null 2>&1 &");
        wait_for(&host, "sleep 6042", 1);
    }
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    eventually("the end of the shell", SOON, || during.ended().then_some(()));
    for pattern in ["sleep 6041", "sleep 6042"] {
        wait_for(&host, pattern, 0);
    }
    assert!(before.run("true").ok(), "her shell from before never had it");
    assert_eq!(pids(&host, "sleep 6040").len(), 1, "the service keeps what stint did not give");
    eventually("the event", SOON, || {
        let ended = host.journal("STINT_EVENT=session.terminated");
        ended.iter().any(|entry| entry["STINT_GROUP"] == "audio").then_some(())
    });
}

fn a_killed_daemon_forgets_nobody(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice slow --for 1h");
    let media = grant(&host, "alice media --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sh -c 'trap \"\" TERM HUP; sleep 6050; sleep 6050'");
    wait_for(&host, "sleep 6050", 1);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    host.ok(&format!("stint revoke {} --reason over", id(&media)));
    kill(&host);
    assert_eq!(pids(&host, "sleep 6050").len(), 1, "its grace is not over");
    wait_for(&host, "sleep 6050", 0);
    eventually("the end of the shell", SOON, || shell.ended().then_some(()));
    event_of(&host, "session.terminated", id(&given));
}

/// Logins by ssh: those that carry a group through a connection that many sessions share, and those
/// that a grant alone let in.
fn logins_by_ssh_end_too(suite: Suite) {
    const SSH: &str = "ssh -q -i /root/key -o StrictHostKeyChecking=no";
    const SHARED: &str = "-o ControlPath=/root/shared";
    let host = builder(suite, POLICY).boot();
    host.ok("mkdir -p /run/sshd && systemctl start ssh && \
             ssh-keygen -q -t ed25519 -N '' -f /root/key && mkdir -p /home/alice/.ssh && \
             cp /root/key.pub /home/alice/.ssh/authorized_keys && chmod 700 /home/alice/.ssh && \
             chown -R alice: /home/alice/.ssh");
    let media = grant(&host, "alice media --for 1h");
    host.ok(&format!(
        "{SSH} {SHARED} -M -o ControlPersist=yes -fN alice@127.0.0.1 >/dev/null 2>&1 </dev/null"
    ));
    let again = format!("{SSH} {SHARED} alice@127.0.0.1 id -Gn");
    assert!(host.ok(&again).contains("audio"), "a new session has what the connection has");
    host.ok(&format!("stint revoke {} --reason over", id(&media)));
    let check = format!("{SSH} {SHARED} -O check alice@127.0.0.1");
    eventually("the end of the connection", SOON, || (!host.run(&check).ok()).then_some(()));
    assert!(!host.ok(&format!("{SSH} alice@127.0.0.1 id -Gn")).contains("audio"));

    host.ok("stint gate on sshd");
    assert!(!host.run(&format!("{SSH} alice@127.0.0.1 true")).ok(), "the gate is on");
    let remote = grant(&host, "alice remote --for 1h");
    let mut client = host.shell("root");
    client.start(&format!("{SSH} -tt alice@127.0.0.1 'setsid sleep 6090 & exec sleep 6091'"));
    for pattern in ["sleep 6090", "sleep 6091"] {
        wait_for(&host, pattern, 1);
    }
    host.ok(&format!("stint revoke {} --reason over", id(&remote)));
    client.finish();
    for pattern in ["sleep 6090", "sleep 6091"] {
        wait_for(&host, pattern, 0);
    }
    event_of(&host, "session.terminated", id(&remote));
}

fn without_a_bus_the_kernels_tree_serves(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 20s");
    host.ok("systemctl stop dbus.socket dbus.service");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sh -c 'setsid sleep 6060 & sleep 6061'");
    wait_for(&host, "sleep 6060", 1);
    let group = scopes(&host);
    assert!(group.starts_with(&format!("/sys/fs/cgroup/stint/stint-{}-", id(&given))), "{group}");
    shell.finish();
    for pattern in ["sleep 6060", "sleep 6061"] {
        wait_for(&host, pattern, 0);
    }
    eventually("the end of the group", SOON, || scopes(&host).is_empty().then_some(()));
}

fn a_session_inside_another_ends_with_either(suite: Suite) {
    let host = gated(suite, POLICY);
    for outer_ends in [true, false] {
        let alices = grant(&host, "alice admin --for 1h");
        let bobs = grant(&host, "bob admin --for 1h");
        let mut shell = host.shell("alice");
        shell.start("sudo -n sh -c 'sudo -n -u bob sudo -n sleep 6070; sleep 6071'");
        wait_for(&host, "sleep 6070", 1);
        let (first, second) = if outer_ends { (&alices, &bobs) } else { (&bobs, &alices) };
        host.ok(&format!("stint revoke {} --reason over", id(first)));
        wait_for(&host, "sleep 6070", 0);
        if !outer_ends {
            wait_for(&host, "sleep 6071", 1);
        }
        host.ok(&format!("stint revoke {} --reason over", id(second)));
        wait_for(&host, "sleep 6071", 0);
        shell.finish();
    }
}

/// A group that is given back and taken again at once: what carried it before is not spared.
fn a_group_that_is_taken_again_spares_nobody(suite: Suite) {
    let host = builder(suite, POLICY).boot();
    grant(&host, "alice media --for 1h");
    let mut shell = host.shell("alice");
    shell.run("setsid sleep 6100 >/dev/null 2>&1 &");
    wait_for(&host, "sleep 6100", 1);
    host.ok("su alice -c 'stint drop' && stint grant alice media --for 1h --reason again");
    let mut other = host.shell("alice");
    assert!(other.run("id -Gn").stdout.contains("audio"));
    host.ok("stint revoke --user alice --reason over");
    wait_for(&host, "sleep 6100", 0);
    eventually("the end of the shell", SOON, || other.ended().then_some(()));
}

/// Who removes the package under a grant is not cut off in the middle.
fn the_package_is_removed_from_inside_a_session(suite: Suite) {
    let host = gated(suite, POLICY);
    grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    let removed = shell.run("sudo -n dpkg -r stint");
    assert!(removed.ok(), "{removed}");
    assert!(host.ok("dpkg-query -W -f '${Status}' stint").contains("deinstall ok"));
    assert!(host.as_user("alice", "sudo -n true").ok(), "sudo is as it was before");
}

fn the_package_leaves_no_session(suite: Suite) {
    let host = gated(suite, POLICY);
    grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sh -c 'trap \"\" TERM HUP; sleep 6080; sleep 6080'");
    wait_for(&host, "sleep 6080", 1);
    host.ok("dpkg -r stint");
    wait_for(&host, "sleep 6080", 0);
    shell.finish();
}

#[test]
fn all_that_a_session_started_ends_with_its_grant_bookworm() {
    all_that_a_session_started_ends_with_its_grant(Suite::Bookworm);
}

#[test]
fn all_that_a_session_started_ends_with_its_grant_trixie() {
    all_that_a_session_started_ends_with_its_grant(Suite::Trixie);
}

#[test]
fn su_and_doas_end_too_bookworm() {
    su_and_doas_end_too(Suite::Bookworm);
}

#[test]
fn su_and_doas_end_too_trixie() {
    su_and_doas_end_too(Suite::Trixie);
}

#[test]
fn by_its_role_a_session_goes_on_and_is_named_trixie() {
    by_its_role_a_session_goes_on_and_is_named(Suite::Trixie);
}

#[test]
fn sessions_are_warned_on_their_terminal_bookworm() {
    sessions_are_warned_on_their_terminal(Suite::Bookworm);
}

#[test]
fn sessions_are_warned_on_their_terminal_trixie() {
    sessions_are_warned_on_their_terminal(Suite::Trixie);
}

#[test]
fn whoever_carries_the_group_is_ended_and_nobody_else_bookworm() {
    whoever_carries_the_group_is_ended_and_nobody_else(Suite::Bookworm, "files");
}

#[test]
fn whoever_carries_the_group_is_ended_and_nobody_else_trixie() {
    whoever_carries_the_group_is_ended_and_nobody_else(Suite::Trixie, "userdb");
}

#[test]
fn a_killed_daemon_forgets_nobody_trixie() {
    a_killed_daemon_forgets_nobody(Suite::Trixie);
}

#[test]
fn logins_by_ssh_end_too_bookworm() {
    logins_by_ssh_end_too(Suite::Bookworm);
}

#[test]
fn logins_by_ssh_end_too_trixie() {
    logins_by_ssh_end_too(Suite::Trixie);
}

#[test]
fn without_a_bus_the_kernels_tree_serves_bookworm() {
    without_a_bus_the_kernels_tree_serves(Suite::Bookworm);
}

#[test]
fn without_a_bus_the_kernels_tree_serves_trixie() {
    without_a_bus_the_kernels_tree_serves(Suite::Trixie);
}

#[test]
fn a_session_inside_another_ends_with_either_trixie() {
    a_session_inside_another_ends_with_either(Suite::Trixie);
}

#[test]
fn the_package_leaves_no_session_bookworm() {
    the_package_leaves_no_session(Suite::Bookworm);
}

#[test]
fn a_group_that_is_taken_again_spares_nobody_bookworm() {
    a_group_that_is_taken_again_spares_nobody(Suite::Bookworm);
}

#[test]
fn the_package_is_removed_from_inside_a_session_trixie() {
    the_package_is_removed_from_inside_a_session(Suite::Trixie);
}
