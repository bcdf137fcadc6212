//! The hosts are real: what later tests see refused is let in here, when no gate is on. And they
//! leave nothing behind. These need no package.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stint_tests::{Host, Network, Suite, USERS, eventually};

const SUDOERS: &str = "alice ALL=(ALL) NOPASSWD: ALL\nbob ALL=(ALL) ALL\n";
const DOAS: &str = "permit nopass alice\npermit bob\n";

fn host_with_rules(suite: Suite) -> Host {
    let host = Host::bare(suite).file("/etc/sudoers.d/rules", 0o440, SUDOERS);
    host.file("/etc/doas.conf", 0o400, DOAS).boot()
}

/// The programs of a suite that run a command as root, as one types them.
fn ways(suite: Suite) -> Vec<&'static str> {
    let mut ways = vec!["sudo -n", "doas -n"];
    if suite.has_sudo_rs() {
        ways.push("sudo-rs -n");
    }
    ways
}

fn boots_and_refuses_who_has_no_rule(suite: Suite) {
    let host = host_with_rules(suite);
    assert_eq!(host.ok("systemctl --failed --no-legend --plain"), "");
    assert!(host.ok("cat /etc/os-release").contains(&format!("={}\n", suite.name())));
    for (user, uid) in USERS.iter().zip(1000..) {
        assert_eq!(host.as_user(user, "id -u").stdout, format!("{uid}\n"));
    }
    for way in ways(suite) {
        for user in ["bob", "carol"] {
            let refused = host.as_user(user, &format!("{way} id -u"));
            assert_ne!(refused.status, 0, "{user}, {way}: {refused}");
            assert_eq!(refused.stdout, "", "{user}, {way}");
        }
        let let_in = host.as_user("alice", &format!("{way} id -u"));
        assert_eq!(let_in.stdout, "0\n", "alice, {way}: {let_in}");
    }
}

#[test]
fn a_bookworm_host_refuses_who_has_no_rule_and_lets_in_who_has() {
    boots_and_refuses_who_has_no_rule(Suite::Bookworm);
}

#[test]
fn a_trixie_host_refuses_who_has_no_rule_and_lets_in_who_has() {
    boots_and_refuses_who_has_no_rule(Suite::Trixie);
}

fn an_open_shell_keeps_its_groups(suite: Suite) {
    let host = host_with_rules(suite);
    let mut shell = host.shell("bob");
    assert!(shell.run("tty").stdout.starts_with("/dev/pts/"));
    assert_eq!(shell.run("exit_with() { return $1; }; exit_with 7").status, 7);
    host.ok("groupadd crew && usermod -aG crew bob");
    assert!(!shell.run("id -Gn").stdout.contains("crew"), "an old shell has a new group");
    assert!(host.shell("bob").run("id -Gn").stdout.contains("crew"));
    let sessions = host.ok("loginctl --no-legend list-sessions");
    assert!(sessions.contains("bob"), "no login session: {sessions}");
    let mut ways = vec!["sudo", "doas"];
    if suite.has_sudo_rs() {
        ways.push("sudo-rs");
    }
    for way in ways {
        shell.start(&format!("{way} id -u"));
        shell.expect("assword");
        shell.expect(":");
        shell.type_line("not this");
        if way == "doas" {
            assert_ne!(shell.finish().status, 0, "doas took a wrong password");
        } else {
            shell.expect("assword");
            shell.expect(":");
            assert!(!shell.interrupt().contains('0'), "{way} took a wrong password");
        }
        let let_in = shell.run_with_password(&format!("{way} id -u"), "pw-bob");
        assert_eq!((let_in.status, let_in.stdout.lines().last()), (0, Some("0")), "{way}");
    }
}

#[test]
fn an_open_shell_on_bookworm_is_typed_into_and_keeps_its_groups() {
    an_open_shell_keeps_its_groups(Suite::Bookworm);
}

#[test]
fn an_open_shell_on_trixie_is_typed_into_and_keeps_its_groups() {
    an_open_shell_keeps_its_groups(Suite::Trixie);
}

#[test]
fn su_takes_the_password_of_the_target() {
    let host = Host::boot_bare(Suite::Bookworm);
    let wrong = host.as_user_with("alice", "su bob -c id", b"pw-alice\n", Duration::from_secs(30));
    assert_ne!(wrong.status, 0, "{wrong}");
    let right =
        host.as_user_with("alice", "su bob -c 'id -un'", b"pw-bob\n", Duration::from_secs(30));
    assert_eq!((right.status, right.stdout.as_str()), (0, "bob\n"), "{right}");
}

#[test]
fn the_journal_is_read_whole() {
    let host = Host::boot_bare(Suite::Trixie);
    assert!(host.journal("-t nobody").is_empty());
    host.ok("printf 'MESSAGE=a \"quoted\" line\\nSTINT_EVENT=test.seen\\n' | logger --journald");
    let entries = host.journal_of("STINT_EVENT=test.seen", 1, Duration::from_secs(20));
    assert_eq!(entries[0]["MESSAGE"], "a \"quoted\" line");
    assert!(!host.journal("").is_empty());
}

#[test]
fn files_go_in_and_out_and_live_through_a_reboot_and_a_power_cut() {
    let mut host = Host::boot_bare(Suite::Bookworm);
    let bytes: Vec<u8> = (0..=255).collect();
    host.write("/etc/a folder/file", "0640", &bytes);
    assert_eq!(host.read("/etc/a folder/file"), bytes);
    assert_eq!(host.ok("stat -c %a,%U '/etc/a folder/file'"), "640,root\n");
    let boot = host.ok("cat /proc/sys/kernel/random/boot_id");
    host.ok("touch /run/gone");
    host.reboot();
    let second = host.ok("cat /proc/sys/kernel/random/boot_id");
    assert_ne!(second, boot);
    assert_eq!(host.run("test -e /run/gone").status, 1);
    host.power_cut();
    assert_ne!(host.ok("cat /proc/sys/kernel/random/boot_id"), second);
    assert_eq!(host.read("/etc/a folder/file"), bytes);
}

#[test]
fn folders_are_read_only_or_small_when_asked_for() {
    let host =
        Host::bare(Suite::Bookworm).read_only("/etc").small("/var/lib/stint", "64k", "0700").boot();
    let refused = host.run("echo >/etc/group");
    assert!(refused.text().contains("Read-only"), "{refused}");
    let full = host.run("head -c 1M /dev/zero >/var/lib/stint/file");
    assert!(full.text().contains("No space left"), "{full}");
    assert_eq!(host.ok("stat -c %a /var/lib/stint"), "700\n");
}

#[test]
fn one_unit_alone_sees_a_read_only_folder() {
    const UNIT: &str = "[Service]\nProtectSystem=strict\nReadWritePaths=/etc\n\
        ExecStart=/bin/sh -c 'while :; do touch /etc/unit-was-here 2>/dev/null; sleep 0.05; done'\n";
    let host = Host::bare(Suite::Trixie).file("/etc/systemd/system/w.service", 0o644, UNIT).boot();
    let seen =
        || host.run("sleep 0.5; rm /etc/unit-was-here; sleep 0.5; ls /etc/unit-was-here").ok();
    host.ok("systemctl start w.service");
    assert!(seen());
    host.set_writable("w.service", "/etc", false);
    assert!(!seen(), "the unit still writes");
    host.set_writable("w.service", "/etc", true);
    assert!(seen(), "the unit cannot write again");
}

#[test]
fn a_host_leaves_nothing_behind_even_when_its_test_panics() {
    let panicked = std::panic::catch_unwind(|| {
        let host = Host::boot_bare(Suite::Trixie);
        let _shell = host.shell("alice");
        let known = (host.root(), host.leader());
        std::panic::panic_any(known);
    });
    let (root, leader) = *panicked.unwrap_err().downcast::<(PathBuf, i32)>().unwrap();
    let folder = root.parent().unwrap();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
    assert!(!folder.exists(), "{} is left", folder.display());
    assert!(!Path::new(&format!("/proc/{leader}")).exists(), "process {leader} is left");
}

#[test]
fn hosts_of_a_network_reach_each_other_by_name_until_one_is_unplugged_or_off() {
    let links = || fs::read_to_string("/proc/net/dev").unwrap().lines().count();
    let before = links();
    let network = Network::of(&["web-1", "web-2", "db-1"]);
    let boot = |suite, name| {
        let host = Host::bare(suite).hostname(name).on(&network).boot();
        host.ok("systemctl start ssh.service");
        host
    };
    let reaches = |host: &Host, other: &str| host.run(&format!("nc -z -w 1 {other} 22")).ok();
    let both_ways = |one: &Host, other: &Host| {
        for (from, to) in [(one, other), (other, one)] {
            let what = format!("the way from {} to {}", from.hostname(), to.hostname());
            eventually(&what, Duration::from_secs(60), || {
                reaches(from, to.hostname()).then_some(())
            });
        }
    };
    let mut one = boot(Suite::Bookworm, "web-1");
    let two = boot(Suite::Trixie, "web-2");
    both_ways(&one, &two);
    assert!(!reaches(&one, "db-1"), "a host that was never booted");
    let late = boot(Suite::Trixie, "db-1");
    both_ways(&one, &late);

    two.unplug();
    assert!(!reaches(&one, "web-2") && !reaches(&two, "web-1"));
    both_ways(&one, &late);
    two.plug_in();
    both_ways(&one, &two);

    one.switch_off();
    assert!(!reaches(&two, "web-1"), "a host that is off");
    one.switch_on();
    one.ok("systemctl start ssh.service");
    both_ways(&one, &two);
    drop((one, two, late));
    assert_eq!(links(), before, "the machine's own network is not what it was");
}
