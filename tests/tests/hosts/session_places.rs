//! Where a session is from its first process on: in a group named by its grant, before sudo starts
//! anything. That is one of threads in the group of the login, which sudo enters itself, or else one
//! in the slice of who logged in. Once it has lived for a while it is in the slice, and systemd takes
//! it on there. No bus and no systemd is waited for, and short sessions leave nothing behind.

use crate::common::{SOON, event_of, gated, grant, id, kill};
use stint_tests::{Host, Shell, Suite, eventually};

pub const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false
grace    = "1s"
"#;

const SLICE: &str = "/user.slice/user-1000.slice/";

/// The processes of this command.
pub fn pids(host: &Host, command: &str) -> Vec<String> {
    host.run(&format!("pgrep -xf '{command}'")).stdout.lines().map(str::to_owned).collect()
}

/// The group of the one process of this command.
fn group_of(host: &Host, command: &str) -> String {
    let pid = eventually(command, SOON, || pids(host, command).pop());
    let group = host.ok(&format!("sed -n 's/^0:://p' /proc/{pid}/cgroup"));
    group.trim().to_owned()
}

/// Asserts that this is a group of the grant's, in alice's slice or in a login there; returns the
/// unit's name.
fn unit_in_slice(group: &str, grant: &str) -> String {
    let inside = group.strip_prefix(SLICE).unwrap_or_default();
    let (login, unit) = inside.split_once('/').unwrap_or(("session-", inside));
    assert!(login.starts_with("session-"), "{group}");
    assert!(unit.starts_with(&format!("stint-{grant}-")) && unit.ends_with(".scope"), "{group}");
    unit.to_owned()
}

/// Asserts that it is one in a login: sudo entered it itself.
fn was_entered(group: &str, grant: &str) {
    unit_in_slice(group, grant);
    assert!(group.starts_with(&format!("{SLICE}session-")), "{group}");
}

/// Asserts that it is one in the slice: stintd put sudo there.
fn was_put(group: &str, grant: &str) {
    unit_in_slice(group, grant);
    assert!(group.starts_with(&format!("{SLICE}stint-")), "{group}");
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
    was_entered(groups[0], id(&given));
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

/// Starts, by sudo as bob, one that hears nothing, ends as soon as it has started another of its
/// kind, and so on; in a group inside its own it stays in that of the login. Returns its group.
fn start_a_storm(host: &Host, shell: &mut Shell, number: u32, stays: bool) -> String {
    const INSIDE: &str = "g=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup); mkdir $g/in; \
                          echo threaded >$g/in/cgroup.type; echo 0 >$g/in/cgroup.threads;";
    // sudo's terminal may hang up before it has left that.
    const DEAF: &str = "trap \"\" HUP;";
    let storm = format!("setsid /root/storm {number} >/dev/null 2>&1 </dev/null &");
    let inside = if stays { INSIDE } else { "" };
    shell.start(&format!(
        "sudo -n sh -c 'cat /proc/self/cgroup; {DEAF} {inside} runuser -u bob -- sh -c \"{storm}\"'"
    ));
    let shown = shell.finish();
    assert!(shown.ok(), "{shown}");
    let group = shown.stdout.lines().find_map(|line| line.strip_prefix("0::"));
    // Nobody has waited until it has a name of its own.
    eventually("a storm", SOON, || is_raging(host, number).then_some(()));
    group.unwrap_or_default().trim_end().to_owned()
}

/// Puts the program there, which anybody may run.
pub fn bring_a_storm(host: &Host) {
    host.write(
        "/root/storm",
        "755",
        "#!/usr/bin/perl\n$SIG{TERM} = $SIG{HUP} = 'IGNORE';\nfor (;;) { exit if fork }\n",
    );
    host.ok("chmod 755 /root");
}

/// Whether the storm goes on. One look may miss it.
pub fn is_raging(host: &Host, number: u32) -> bool {
    (0..10).any(|_| host.run(&format!("pgrep -f '^/usr/bin/perl /root/storm {number}'")).ok())
}

/// Who starts another as fast as possible gets nowhere by it: neither in the group that sudo
/// entered, nor while it is being moved to the slice.
fn nobody_gets_away_by_starting_others(suite: Suite) {
    let host = gated(suite, POLICY);
    bring_a_storm(&host);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    let stays = start_a_storm(&host, &mut shell, 6240, true);
    was_entered(&stays, id(&given));
    let goes = start_a_storm(&host, &mut shell, 6241, false);
    unit_in_slice(&goes, id(&given));
    // It is tried to move them after one second, and after three.
    host.ok("sleep 4");
    // A look may fall between a parent's end and its child's name.
    for storm in [6240, 6241] {
        eventually("a storm that goes on", SOON, || is_raging(&host, storm).then_some(()));
    }
    // Who is there may be gone before it is written down.
    let there = host.ok(&format!("cat /sys/fs/cgroup{stays}/in/cgroup.events"));
    assert!(there.contains("populated 1"), "it is where it cannot be moved from: {there}");
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    let ended = event_of(&host, "session.terminated", id(&given));
    assert!(ended["MESSAGE"].as_str().unwrap_or_default().contains("by SIGKILL"), "{ended}");
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
    assert!(!is_raging(&host, 6240) && !is_raging(&host, 6241));
}

/// Where sudo cannot enter a group itself stintd puts it into one: where the kernel has no groups
/// of threads for it, and where it does not see the tree.
fn who_cannot_enter_is_put_there(suite: Suite) {
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let see = "sudo -n cat /proc/self/cgroup";
    let group = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("0::"));
        line.unwrap_or_else(|| panic!("{text}")).trim_end().to_owned()
    };
    let blind = format!(
        "unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec runuser -l alice -c \"{see}\"'"
    );
    was_put(&group(&host.ok(&blind)), id(&given));
    let mut shell = host.shell("alice");
    was_entered(&group(&shell.run(see).stdout), id(&given));
    let login = group(&shell.run("cat /proc/self/cgroup").stdout);
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
    host.ok(&format!(
        "mkdir /sys/fs/cgroup{login}/other; sleep 6250 >/dev/null 2>&1 & echo $! >/sys/fs/cgroup{login}/other/cgroup.procs"
    ));
    was_put(&group(&shell.run(see).stdout), id(&given));
    for opened in host.journal("STINT_EVENT=session.opened") {
        let text = opened["MESSAGE"].as_str().unwrap_or_default();
        assert!(text.ends_with(".scope"), "all of them are where they can be found: {text}");
    }
    // What is started there ends, too.
    leave_behind(&mut shell, 6251);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sleep 6251");
}

/// A sudo that went on while stintd hung is put into its place when stintd goes on.
fn who_did_not_wait_is_put_there_later(suite: Suite) {
    const PAUSE: &str = "/bin/sleep 5.26";
    let host = gated(suite, POLICY);
    host.ok(&format!(
        "sed -i '/^session.*pam_stint/i session optional pam_exec.so {PAUSE}' /etc/pam.d/sudo"
    ));
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    shell.start("sudo -n sleep 6260");
    eventually("the session phase", SOON, || pids(&host, PAUSE).pop());
    let stintd = host.ok("systemctl show -P MainPID stintd.service").trim().to_owned();
    host.freeze(&stintd);
    let outside = group_of(&host, "sleep 6260");
    host.thaw(&stintd);
    assert!(!outside.contains("stint-"), "{outside}");
    event_of(&host, "session.opened", id(&given));
    // What sudo has started meanwhile stays where it is.
    let sudo = pids(&host, "sudo -n sleep 6260").remove(0);
    let group = eventually("its place in the slice", SOON, || {
        let group = host.ok(&format!("sed -n 's/^0:://p' /proc/{sudo}/cgroup"));
        group.contains("stint-").then_some(group)
    });
    was_put(group.trim(), id(&given));
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sudo -n sleep 6260");
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

/// A unit that has the name of a session's, and is not it, is not taken for systemd's word that it
/// has the session.
fn whose_name_is_taken_is_not_forgotten(suite: Suite) {
    const OTHER: &str = "/usr/bin/sleep 6271";
    let host = gated(suite, POLICY);
    let given = grant(&host, "alice admin --for 1h");
    let mut shell = host.shell("alice");
    let stintd = host.ok("systemctl show -P MainPID stintd.service").trim().to_owned();
    leave_behind(&mut shell, 6270);
    host.freeze(&stintd);
    let unit = unit_in_slice(&group_of(&host, "sleep 6270"), id(&given));
    host.ok(&format!("systemd-run systemd-run --scope --unit={unit} --slice=other.slice {OTHER}"));
    eventually("the other unit", SOON, || pids(&host, OTHER).pop());
    host.thaw(&stintd);
    let offered = format!("find /sys/fs/cgroup{SLICE}{unit} -maxdepth 0 -perm 755");
    eventually("the first try", SOON, || (!host.run(&offered).stdout.is_empty()).then_some(()));
    host.ok("sleep 1");
    host.ok(&format!("systemctl stop {unit}"));
    assert!(pids(&host, OTHER).is_empty());
    taken_on(&host, &unit);
    host.ok(&format!("stint revoke {} --reason over", id(&given)));
    gone(&host, "sleep 6270");
    eventually("the end of all groups", SOON, || folders(&host).is_empty().then_some(()));
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
    eventually("its place in the slice", SOON, || {
        (group_of(&host, "sleep 6231") == format!("{SLICE}{unit}")).then_some(())
    });
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
fn nobody_gets_away_by_starting_others_bookworm() {
    nobody_gets_away_by_starting_others(Suite::Bookworm);
}

#[test]
fn nobody_gets_away_by_starting_others_trixie() {
    nobody_gets_away_by_starting_others(Suite::Trixie);
}

#[test]
fn who_cannot_enter_is_put_there_bookworm() {
    who_cannot_enter_is_put_there(Suite::Bookworm);
}

#[test]
fn who_did_not_wait_is_put_there_later_trixie() {
    who_did_not_wait_is_put_there_later(Suite::Trixie);
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
fn whose_name_is_taken_is_not_forgotten_bookworm() {
    whose_name_is_taken_is_not_forgotten(Suite::Bookworm);
}

#[test]
fn whose_name_is_taken_is_not_forgotten_trixie() {
    whose_name_is_taken_is_not_forgotten(Suite::Trixie);
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
