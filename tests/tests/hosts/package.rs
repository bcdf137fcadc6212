//! The package: it installs on a host as Debian makes it and gates nothing by itself; an upgrade
//! denies no sudo and loses no grant; a removal leaves the host as it was before.

use crate::common::{SOON, document};
use crate::parley::{NOBODY_HELPS, POLICY, STANDING, grant};
use std::time::Duration;
use stint_tests::{Host, Suite, deb_under_test, eventually};

/// Where the package lies in the host.
const DEB: &str = "/root/stint.deb";

/// Everything that a removal has to bring back: files of PAM, groups and sudo, with their modes. The
/// account for hooks stays, as accounts of packages do.
const AS_BEFORE: &str = "cd /etc && { \
    find pam.d sudoers sudoers.d group gshadow nsswitch.conf -type f -exec stat -c '%n %a %U %G' {} +
    find pam.d sudoers sudoers.d nsswitch.conf -type f -exec sha256sum {} +
    grep -vE '^stint-(hooks|sync):' group gshadow; } | sort";

fn with_the_package(suite: Suite) -> Host {
    let host = Host::bare(suite).file("/etc/sudoers.d/standing", 0o440, STANDING).boot();
    host.put(&deb_under_test(), DEB, "0644");
    host
}

fn install(host: &Host) {
    host.ok(&format!(
        "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends {DEB}"
    ));
}

/// Grants, gates on sudo and su, and a membership: everything there is to take back.
fn at_work(host: &Host) -> String {
    host.write_policy(POLICY);
    host.ok("stint reload && stint gate on sudo su");
    let id = grant(host, "alice", "admin", "--for 2h");
    grant(host, "bob", "crew", "--for 2h");
    assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n");
    assert!(host.as_user("bob", "id -Gn").stdout.contains("crew"));
    id
}

/// sudo's own rules say who gets in, and nobody else does.
fn assert_sudo_is_as_before(host: &Host) {
    for user in ["alice", "bob"] {
        assert_eq!(host.as_user(user, "sudo -n id -u").stdout, "0\n", "{user} by sudo's own rules");
    }
    let carol = host.as_user("carol", "sudo -n id -u");
    assert_eq!((carol.status, carol.stdout.as_str()), (1, ""), "{carol}");
}

#[test]
fn an_installation_gates_nothing_and_root_can_grant_at_once() {
    for suite in Suite::ALL {
        let host = with_the_package(suite);
        let before = host.ok(AS_BEFORE);
        install(&host);
        assert_eq!(host.ok(AS_BEFORE), before, "{suite:?}: the installation changed something");
        assert_eq!(host.ok("stint gate"), "No PAM service is gated. root: stint gate on sudo\n");
        assert_sudo_is_as_before(&host);
        for unit in [
            "stintd.service",
            "stintd.socket",
            "stint-sweep.path",
            "stint-sweep.service",
            "stint-sync.service",
        ] {
            assert_eq!(host.ok(&format!("systemctl is-enabled {unit}")), "enabled\n", "{suite:?}");
            // One is done at once, and for the other there is nothing to do.
            let idle = ["stint-sweep.service", "stint-sync.service"].contains(&unit);
            let state = if idle { "inactive\n" } else { "active\n" };
            assert_eq!(host.run(&format!("systemctl is-active {unit}")).stdout, state, "{suite:?}");
        }
        assert_eq!(
            host.ok("systemctl list-units --failed --no-legend --plain 'stint*'"),
            "",
            "{suite:?}"
        );
        let role = document(&host.ok("stint roles --json"));
        assert_eq!(role[0]["name"], "admin", "{role}");
        assert_eq!(document(&host.ok("stint status --json"))["policy_problem"].as_str(), None);
        // carol has no rule but by her grant.
        let refused = host.as_user("carol", "sudo -n id -u");
        assert_ne!(refused.status, 0, "{refused}");
        host.ok("stint grant carol admin --for 30m --reason 'the first grant'");
        let mut carol = host.shell("carol");
        let let_in = carol.run_with_password("sudo id -u", "pw-carol");
        assert_eq!(let_in.stdout.lines().last(), Some("0"), "{suite:?}: {let_in}");
    }
}

#[test]
fn the_units_are_sound_and_hardened() {
    for suite in Suite::ALL {
        let host = with_the_package(suite);
        install(&host);
        let verified = host.run(
            "systemd-analyze verify --man=no stintd.service stintd.socket \
             stint-sweep.path stint-sweep.service stint-sweep.timer \
             stint-metrics.timer stint-metrics.service stint-sync.service",
        );
        assert_eq!((verified.status, verified.text().as_str()), (0, ""), "{suite:?}");
        // What speaks with a network has to do with less than what is root.
        for (unit, most) in [("stintd.service", 2.5), ("stint-sync.service", 1.5)] {
            let judged =
                host.ok(&format!("systemd-analyze security --no-pager {unit} | tail -n 1"));
            let score = judged.split(&format!("{unit}: ")).nth(1);
            let score = score.and_then(|rest| rest.split(' ').next());
            let score: f64 =
                score.and_then(|score| score.parse().ok()).unwrap_or_else(|| panic!("{judged}"));
            assert!(score <= most, "{suite:?}: {judged}");
        }
        // Off until somebody enables it, and it works within its walls.
        assert_eq!(host.run("systemctl is-enabled stint-metrics.timer").stdout, "disabled\n");
        let folder = "/var/lib/prometheus/node-exporter";
        host.ok(&format!("mkdir -p {folder} && systemctl start stint-metrics.service"));
        assert!(
            host.ok(&format!("cat {folder}/stint.prom")).contains("\nstint_up 1\n"),
            "{suite:?}"
        );
    }
}

#[test]
fn every_file_is_where_it_belongs_and_roots() {
    let host = with_the_package(Suite::Bookworm);
    install(&host);
    let module = "/usr/lib/$(uname -m)-linux-gnu/security/pam_stint.so";
    let files = [
        ("/usr/bin/stint", "755"),
        ("/usr/sbin/stintd", "755"),
        ("/usr/sbin/stint-sync", "755"),
        ("/usr/libexec/stint", "755"),
        ("/usr/libexec/stint/stint-run", "4755"),
        (module, "644"),
        ("/etc/stint", "755"),
        ("/etc/stint/policy.toml", "644"),
        ("/etc/stint/policy.d", "755"),
        ("/var/lib/stint", "700"),
        ("/var/lib/stint/state.sqlite", "600"),
        ("/run/stint", "755"),
        ("/run/stint/pam.sock", "600"),
        ("/usr/share/dbus-1/interfaces/org.stint.Stint1.xml", "644"),
        ("/usr/share/dbus-1/system.d/org.stint.Stint1.conf", "644"),
        ("/usr/share/doc/stint/copyright", "644"),
        ("/usr/share/doc/stint/examples/hooks/webhook", "644"),
        ("/usr/share/doc/stint/examples/rsyslog/30-stint.conf", "644"),
        ("/usr/share/doc/stint/examples/sync.toml", "644"),
        ("/usr/share/polkit-1/actions/org.stint.Stint1.policy", "644"),
        ("/usr/lib/sysusers.d/stint.conf", "644"),
        ("/etc/stint/hooks.d", "755"),
        ("/usr/share/bash-completion/completions/stint", "644"),
        ("/usr/share/zsh/vendor-completions/_stint", "644"),
        ("/usr/share/fish/vendor_completions.d/stint.fish", "644"),
    ];
    for (path, mode) in files {
        assert_eq!(
            host.ok(&format!("stat -c %a,%U,%G {path}")),
            format!("{mode},root,root\n"),
            "{path}"
        );
    }
    assert!(host.ok(&format!("stat -c %s {module}")).trim().parse::<u64>().unwrap() < 500_000);
    // What is packaged belongs to root, and nobody else may write to it.
    let contents = host.ok(&format!("dpkg-deb -c {DEB}"));
    for line in contents.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1], "root/root", "{line}");
        assert!(words[0].starts_with('l') || words[0].as_bytes()[5] == b'-', "{line}");
        assert!(words[0].starts_with('l') || words[0].as_bytes()[8] == b'-', "{line}");
        let is_run = words.last() == Some(&"./usr/libexec/stint/stint-run");
        assert_eq!(words[0].contains(['s', 't']), is_run, "the one set-id file: {line}");
    }
    for path in ["man1/stint.1", "man8/stintd.8", "man8/pam_stint.8", "man5/stint-policy.5"] {
        // Images leave man pages out when they install; the package has them.
        let page =
            format!("dpkg-deb --fsys-tarfile {DEB} | tar -xO ./usr/share/man/{path}.gz | gunzip");
        let text = host.ok(&page);
        assert!(text.contains(".TH ") && text.contains(".SH \"NAME\""), "{path}: {text}");
    }
    host.ok("bash -n /usr/share/bash-completion/completions/stint");
    // No runtime that sudo would load, and that could end it: not even an unwinder.
    host.ok(&format!("! grep -q -e _Unwind_ -e libgcc {module}"));
}

/// Runs the command while alice does sudo again and again; returns how often she got in, after
/// making sure that she always did.
fn while_alice_does_sudo(host: &Host, command: &str) -> usize {
    const LOOP: &str = "until test -e /run/enough; do
        sudo -n true 2>>/tmp/said && echo in >>/tmp/tries || echo out >>/tmp/tries; done";
    host.ok("rm -f /run/enough /tmp/tries /tmp/said");
    host.write("/tmp/loop", "0755", LOOP);
    host.ok("systemd-run -q --unit=alices -p User=alice sh /tmp/loop");
    let tries = || host.ok("cat /tmp/tries 2>/dev/null || true");
    let goes_on = |what: &str| {
        let before = tries().lines().count();
        eventually(what, SOON, || (tries().lines().count() > before + 5).then_some(()));
    };
    goes_on("alice's first sudos");
    host.ok(command);
    goes_on("alice's last sudos");
    host.ok("touch /run/enough");
    eventually("the end of alice's loop", SOON, || {
        (!host.run("systemctl is-active -q alices.service").ok()).then_some(())
    });
    let tries = tries();
    let out = tries.lines().filter(|line| *line != "in").count();
    assert_eq!(
        out,
        0,
        "denied {out} times of {}: {}",
        tries.lines().count(),
        host.ok("head -n 2 /tmp/said")
    );
    tries.lines().count()
}

#[test]
fn an_upgrade_denies_no_sudo_and_loses_no_grant() {
    for suite in Suite::ALL {
        let host = with_the_package(suite);
        install(&host);
        host.ok("groupadd crew && groupadd engineers");
        let id = at_work(&host);
        let pid = || host.ok("systemctl show -P MainPID stintd.service");
        let (old, sudo) = (pid(), host.read("/etc/pam.d/sudo"));
        host.ok(&format!(
            "dpkg-deb -R {DEB} /root/next && sed -i 's/^Version: .*/&+next1/' /root/next/DEBIAN/control \
             && dpkg-deb -Znone -b /root/next /root/next.deb"
        ));
        for package in [DEB, "/root/next.deb"] {
            let tries = while_alice_does_sudo(&host, &format!("dpkg -i {package}"));
            assert!(tries > 10, "{suite:?}: {tries}");
        }
        assert!(host.ok("dpkg-query -W -f '${Version}' stint").ends_with("+next1"));
        assert_ne!(pid(), old, "{suite:?}: the new stintd runs");
        assert_eq!(host.read("/etc/stint/policy.toml"), POLICY.as_bytes(), "{suite:?}");
        assert_eq!(host.read("/etc/pam.d/sudo"), sudo, "{suite:?}: the gate stays on");
        assert!(host.ok("stint list").contains(&id), "{suite:?}: the grant is held");
        assert!(host.as_user("bob", "id -Gn").stdout.contains("crew"), "{suite:?}");
        let refused = host.as_user("bob", "sudo -n true");
        assert!(refused.stderr.starts_with(NOBODY_HELPS), "{suite:?}: {refused}");
        // What an administrator has disabled stays so.
        host.ok("systemctl disable -q stintd.service");
        host.ok(&format!("dpkg -i {DEB}"));
        assert_eq!(
            host.run("systemctl is-enabled stintd.service").stdout,
            "disabled\n",
            "{suite:?}"
        );
    }
}

/// The host is as it was, and nothing of the package runs.
fn assert_is_gone(host: &Host, before: &str) {
    assert_eq!(host.ok(AS_BEFORE), before);
    assert_sudo_is_as_before(host);
    assert!(!host.as_user("bob", "id -Gn").stdout.contains("crew"), "bob is still in crew");
    let groups = host.run("ls /run/userdb/*.membership");
    assert_ne!(groups.status, 0, "a membership is left: {groups}");
    assert_ne!(host.run("pgrep -x stintd").status, 0, "stintd still runs");
    for path in
        ["/run/stint/pam.sock", "/etc/sudoers.d/stint", "/usr/bin/stint", "/usr/sbin/stintd"]
    {
        assert_ne!(host.run(&format!("test -e {path}")).status, 0, "{path} is left");
    }
    assert_eq!(host.run("find / -xdev -name pam_stint.so").stdout, "", "the module is left");
    let units = host.ok("systemctl list-units --all --no-legend --plain 'stint*'");
    assert!(!units.contains(" active ") && !units.contains(" failed "), "{units}");
}

#[test]
fn a_removal_leaves_the_host_as_it_was() {
    for suite in Suite::ALL {
        let host = with_the_package(suite);
        host.ok("groupadd crew && groupadd engineers");
        let before = host.ok(AS_BEFORE);
        install(&host);
        at_work(&host);
        assert_ne!(host.ok(AS_BEFORE), before, "{suite:?}: there is something to take back");
        host.ok("dpkg -r stint");
        assert_is_gone(&host, &before);
        // Every grant was ended, and the log says so.
        let ended = host.journal_of("STINT_EVENT=grant.revoked", 2, SOON);
        for event in &ended {
            assert_eq!(event["STINT_REASON"], "stint is being removed", "{event}");
        }
        // Installed again it comes back to work, and what had ended stays so.
        install(&host);
        assert_eq!(host.ok("stint list"), "No grants. Ended ones too:  stint list --all\n");
        assert_eq!(document(&host.ok("stint list --all --json")).as_array().unwrap().len(), 2);
        host.ok("systemctl is-active stintd.service stintd.socket");
    }
}

#[test]
fn a_removal_works_although_stintd_is_dead() {
    let host = with_the_package(Suite::Bookworm);
    host.ok("groupadd crew && groupadd engineers");
    let before = host.ok(AS_BEFORE);
    install(&host);
    at_work(&host);
    host.ok("systemctl mask -q --runtime stintd.service && kill -KILL $(systemctl show -P MainPID stintd.service)");
    eventually("the end of stintd", SOON, || (!host.run("pgrep -x stintd").ok()).then_some(()));
    host.ok("dpkg -r stint");
    assert_is_gone(&host, &before);
}

#[test]
fn what_cannot_be_undone_stops_the_removal_before_a_file_is_gone() {
    let host = with_the_package(Suite::Bookworm);
    host.ok("groupadd crew && groupadd engineers");
    let before = host.ok(AS_BEFORE);
    install(&host);
    at_work(&host);
    // PAM's folder cannot be written: the module that it names has to stay.
    host.ok("mount --bind /etc/pam.d /etc/pam.d && mount -o remount,bind,ro /etc/pam.d");
    let stopped = host.run("dpkg -r stint");
    assert_ne!(stopped.status, 0, "{stopped}");
    assert!(
        stopped.text().contains("stint: not removed, because a gate is still on."),
        "{stopped}"
    );
    host.ok("grep -q pam_stint.so /etc/pam.d/sudo && test -e /usr/lib/*/security/pam_stint.so");
    assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n", "alice holds her grant");
    let refused = host.as_user("bob", "sudo -n true");
    assert!(refused.stderr.starts_with(NOBODY_HELPS), "{refused}");
    host.ok("umount /etc/pam.d && dpkg -r stint");
    assert_is_gone(&host, &before);
}

#[test]
fn a_purge_removes_the_state_and_says_what_it_kept() {
    let host = with_the_package(Suite::Bookworm);
    host.ok("groupadd crew && groupadd engineers");
    let before = host.ok(AS_BEFORE);
    install(&host);
    at_work(&host);
    host.write("/etc/stint/policy.d/50-ours.toml", "0644", "# ours\n");
    let purged = host.run_with("dpkg -P stint", b"", Duration::from_secs(60));
    assert!(purged.ok(), "{purged}");
    for line in [
        "stint: kept: the files in /etc/stint that no package owns",
        "stint: kept: its entries in the system's log, and the accounts stint-hooks and stint-sync",
    ] {
        assert!(purged.text().lines().any(|said| said == line), "{line}: {purged}");
    }
    assert_is_gone(&host, &before);
    assert_eq!(host.ok("cat /etc/stint/policy.d/50-ours.toml"), "# ours\n");
    for path in ["/var/lib/stint", "/run/stint", "/etc/stint/policy.toml"] {
        assert_ne!(host.run(&format!("test -e {path}")).status, 0, "{path} is left");
    }
    assert!(!host.journal("STINT_EVENT=grant.revoked").is_empty(), "the log is kept");
    // Without files of the administrator nothing of /etc/stint is left.
    install(&host);
    host.ok("rm /etc/stint/policy.d/50-ours.toml");
    let purged = host.run("dpkg -P stint");
    assert!(purged.ok() && !purged.text().contains("the files in /etc/stint"), "{purged}");
    assert_ne!(host.run("test -e /etc/stint").status, 0);
}
