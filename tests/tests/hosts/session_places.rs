//! Where a session is from its first process on: in a group named by its grant, in the slice of who
//! logged in, before sudo starts anything; systemd takes it on where it is, once it has lived for a
//! while. No bus and no systemd is waited for, and short sessions leave nothing behind.

use crate::common::{SOON, event_of, gated, grant, id, kill};
use stint_tests::{Host, Shell, Suite, eventually};

const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
grace    = "1s"
"#;

const SLICE: &str = "/user.slice/user-1000.slice/";

/// The processes of this command.
fn pids(host: &Host, command: &str) -> Vec<String> {
    host.run(&format!("pgrep -xf '{command}'")).stdout.lines().map(str::to_owned).collect()
}

/// The group of the one process of this command.
fn group_of(host: &Host, command: &str) -> String {
    let pid = eventually(command, SOON, || pids(host, command).pop());
    let group = host.ok(&format!("sed -n 's/^0:://p' /proc/{pid}/cgroup"));
    group.trim().to_owned()
}

/// Asserts that this is a group of the grant's, in alice's slice; returns the unit's name.
fn unit_in_slice(group: &str, grant: &str) -> String {
    let unit = group.strip_prefix(SLICE).unwrap_or_default();
    assert!(unit.starts_with(&format!("stint-{grant}-")) && unit.ends_with(".scope"), "{group}");
    unit.to_owned()
}

/// Every folder of a session's in the tree.
fn folders(host: &Host) -> String {
    // One that goes while it is looked at is as good as gone.
    host.run("find /sys/fs/cgroup -name 'stint-*.scope' -type d").stdout
}

fn gone(host: &Host, command: &str) {
    eventually(&format!("the end of {command:?}"), SOON, || {
        pids(host, command).is_empty().then_some(())
    });
}

/// Waits until systemd knows this unit, and asserts that it is where the group was all the time.
fn taken_on(host: &Host, unit: &str) {
    let show = format!("systemctl show -P ActiveState -P ControlGroup {unit}");
    let wanted = format!("active\n{SLICE}{unit}\n");
    eventually(&format!("{unit} at systemd"), SOON, || {
        let mut shown: Vec<_> = host.ok(&show).lines().map(str::to_owned).collect();
        // In the order of systemd's choosing.
        shown.sort_by_key(|line| line.starts_with('/'));
        (shown.join("\n") + "\n" == wanted).then_some(())
    });
}

/// Starts, by sudo, one that stays behind in a session of its own.
fn leave_behind(shell: &mut Shell, seconds: u32) {
    let started = shell.run(&format!("sudo -n sh -c 'setsid sleep {seconds} >/dev/null 2>&1 &'"));
    assert!(started.ok(), "{started}");
}

fn all_of_it_is_in_its_group_from_the_first_fork(suite: Suite) {
    let host = gated(suite, POLICY);
    let mut shell = host.shell("alice");
    let denied = shell.run("sudo -n cat /proc/self/cgroup");
    assert!(!denied.ok() && folders(&host).is_empty(), "{denied}");
    let given = grant(&host, "alice admin --for 1h");
    let seen = shell.run("sudo -n cat /proc/self/cgroup /proc/$PPID/cgroup");
    let lines = seen.stdout.lines().filter_map(|line| line.strip_prefix("0::"));
    let groups: Vec<&str> = lines.map(str::trim_end).collect();
    unit_in_slice(groups[0], id(&given));
    assert!(!groups[1].contains("stint-"), "the shell above it stays where it was: {groups:?}");
    // Gone before systemd could have heard of it.
    let ended = format!(
        "su alice -c \"sudo -n sh -c 'setsid sleep 6201 >/dev/null 2>&1 &'\" ; until pgrep -xf 'sleep 6201'; do :; done; \
         stint revoke {} --reason over",
        id(&given)
    );
    host.ok(&ended);
    gone(&host, "sleep 6201");
    event_of(&host, "session.terminated", id(&given));
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
}

fn systemd_takes_on_what_lives_and_moves_nobody(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sh -c 'setsid sleep 6210 & exec sleep 6211'");
    let unit = unit_in_slice(&group_of(&host, "sleep 6210"), id(&given));
    taken_on(&host, &unit);
    let listed = host.ok("systemctl status --no-pager 'stint-*.scope'");
    assert!(listed.contains("sleep 6210") && listed.contains("sleep 6211"), "{listed}");
    assert!(listed.contains(&format!("sudo of alice under {}", id(&given))), "{listed}");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sleep 6210");
    shell.finish();
    eventually("the end of the unit", SOON, || {
        let known = host.ok("systemctl list-units --all --no-legend 'stint-*.scope'");
        (known.is_empty() && folders(&host).is_empty()).then_some(())
    });
}

fn a_thousand_short_sessions_leave_nothing(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    // One that is killed, and never says that its session ended.
    let mut shell = host.shell("alice");
    shell.start("sudo -n sh -c 'kill -KILL $PPID; kill -KILL $$'");
    shell.finish();
    let many = "seq 1000 | xargs -P 8 -n 1 sudo -n true";
    let done = host.as_user("alice", many);
    assert!(done.ok(), "{done}");
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
    let opened = host.journal_of(
        &format!("STINT_EVENT=session.opened STINT_GRANT={}", id(&given)),
        1_001,
        SOON,
    );
    assert_eq!(opened.len(), 1_001);
}

fn a_daemon_that_is_killed_at_once_forgets_nothing(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    leave_behind(&mut shell, 6220);
    assert!(shell.run("sudo -n true").ok(), "and one that is over");
    kill(&host);
    let unit = unit_in_slice(&group_of(&host, "sleep 6220"), id(&given));
    taken_on(&host, &unit);
    eventually("the end of the other group", SOON, || {
        (folders(&host).trim_end() == format!("/sys/fs/cgroup{SLICE}{unit}")).then_some(())
    });
    leave_behind(&mut shell, 6221);
    kill(&host);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sleep 6220");
    gone(&host, "sleep 6221");
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
}

/// Neither a bus that hangs nor one that is away stands between sudo and its session; systemd takes
/// on later what lives by then, though the slice itself has ended meanwhile.
fn no_bus_is_waited_for(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    let bus = host.ok("systemctl show -P MainPID dbus.service").trim().to_owned();
    host.freeze(&bus);
    leave_behind(&mut shell, 6230);
    host.thaw(&bus);
    let unit = unit_in_slice(&group_of(&host, "sleep 6230"), id(&given));
    taken_on(&host, &unit);
    host.ok("systemctl stop dbus.socket dbus.service");
    leave_behind(&mut shell, 6231);
    let unit = unit_in_slice(&group_of(&host, "sleep 6231"), id(&given));
    host.ok("systemctl stop user-1000.slice");
    assert_eq!(pids(&host, "sleep 6231").len(), 1, "systemd does not know of it yet");
    host.ok("systemctl start dbus.socket");
    taken_on(&host, &unit);
    for opened in host.journal("STINT_EVENT=session.opened") {
        let text = opened["MESSAGE"].as_str().unwrap_or_default();
        assert!(text.ends_with(".scope"), "nothing stood in the way: {text}");
    }
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sleep 6231");
}

#[test]
fn all_of_it_is_in_its_group_from_the_first_fork_bookworm() {
    all_of_it_is_in_its_group_from_the_first_fork(Suite::Bookworm);
}

#[test]
fn all_of_it_is_in_its_group_from_the_first_fork_trixie() {
    all_of_it_is_in_its_group_from_the_first_fork(Suite::Trixie);
}

#[test]
fn systemd_takes_on_what_lives_and_moves_nobody_bookworm() {
    systemd_takes_on_what_lives_and_moves_nobody(Suite::Bookworm);
}

#[test]
fn systemd_takes_on_what_lives_and_moves_nobody_trixie() {
    systemd_takes_on_what_lives_and_moves_nobody(Suite::Trixie);
}

#[test]
fn a_thousand_short_sessions_leave_nothing_bookworm() {
    a_thousand_short_sessions_leave_nothing(Suite::Bookworm);
}

#[test]
fn a_daemon_that_is_killed_at_once_forgets_nothing_trixie() {
    a_daemon_that_is_killed_at_once_forgets_nothing(Suite::Trixie);
}

#[test]
fn no_bus_is_waited_for_bookworm() {
    no_bus_is_waited_for(Suite::Bookworm);
}

#[test]
fn no_bus_is_waited_for_trixie() {
    no_bus_is_waited_for(Suite::Trixie);
}
