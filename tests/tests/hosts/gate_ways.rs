//! Every way through sudo, sudo-rs, su and doas is gated, and opened by its role alone: no rule
//! without a password, no cached ticket and no setting of sudoers passes it.

use crate::common::{assert_says, builder, grant, plain};
use crate::doors::{POLICY, denied, gated_doors, grant_all, let_in, revoke_all};
use stint_tests::{Output, Shell, Suite};

fn tickets_do_not_pass(suite: Suite) {
    let host = builder(suite, POLICY)
        .file("/etc/sudoers.d/bob", 0o440, "bob ALL=(ALL:ALL) ALL\n")
        .file("/etc/doas.conf", 0o400, "permit nopass alice\npermit persist bob\n")
        .boot();
    let mut sudos = vec![("sudo", "sudo"), ("doas", "doas")];
    if suite.has_sudo_rs() {
        sudos.push(("sudo", "sudo-rs"));
    }
    let (mut alice, mut bob) = (host.shell("alice"), host.shell("bob"));
    for (_, sudo) in &sudos {
        // A ticket, and a rule that asks nothing, are enough as long as there is no gate.
        let typed = bob.run_with_password(&format!("{sudo} id -u"), "pw-bob");
        assert!(typed.ok(), "{sudo}: {typed}");
        let_in(&mut bob, &format!("{sudo} -n id -u"), "0");
        let_in(&mut alice, &format!("{sudo} -n id -u"), "0");
    }
    host.ok("stint gate on sudo su doas");
    for (service, sudo) in &sudos {
        for (user, shell) in [("alice", &mut alice), ("bob", &mut bob)] {
            let output = shell.run(&format!("{sudo} -n id -u"));
            assert_says(&output, &denied(service), &format!("{user}, {sudo}"));
        }
        // Nor does the password itself.
        let typed = bob.run_with_password(&format!("{sudo} id -u"), "pw-bob");
        assert_says(&typed, &denied(service), &format!("{sudo}, typed"));
    }
}

#[test]
fn neither_nopasswd_nor_a_cached_ticket_passes_the_gate_on_bookworm() {
    tickets_do_not_pass(Suite::Bookworm);
}

#[test]
fn neither_nopasswd_nor_a_cached_ticket_passes_the_gate_on_trixie() {
    tickets_do_not_pass(Suite::Trixie);
}

/// Each way: its service, the line, and what it shows to somebody who is let in.
fn ways(suite: Suite) -> Vec<(&'static str, &'static str, &'static str)> {
    let mut ways = vec![
        ("sudo", "sudo -n id -u", "0"),
        ("sudo-i", "sudo -n -i id -u", "0"),
        ("sudo", "sudo -n -s id -u", "0"),
        ("sudo", "sudo -n -u bob id -u", "1001"),
        ("sudo", "EDITOR=edit sudo -n -e /etc/secret", "edited"),
        ("sudo", "sudo -n -v; echo $?", "0"),
        ("sudo", "sudo -n -l id", "/usr/bin/id"),
        ("doas", "doas id -u", "0"),
        ("doas", "doas -u bob id -u", "1001"),
        ("doas", "SHELL=/usr/bin/whoami doas -s", "root"),
        ("su", "su -c 'id -u'", "0"),
        ("su", "su bob -c 'id -u'", "1001"),
        ("su-l", "su - -c 'id -u'", "0"),
    ];
    if suite.has_sudo_rs() {
        ways.extend([
            ("sudo", "sudo-rs -n id -u", "0"),
            ("sudo", "sudo-rs -n -i id -u", "0"),
            ("sudo", "sudo-rs -n -s id -u", "0"),
            ("sudo", "sudo-rs -n -u bob id -u", "1001"),
        ]);
    }
    ways
}

fn every_way_is_gated(suite: Suite) {
    let host = gated_doors(suite);
    host.write("/etc/secret", "0600", "what it says\n");
    host.write("/usr/local/bin/edit", "0755", "#!/bin/sh\necho more >>\"$1\"; echo edited\n");
    let mut alice = host.shell("alice");
    let is_sudo = |service: &str| service.starts_with("sudo");
    let assert_all_denied = |alice: &mut Shell, when: &str, only: &dyn Fn(&str) -> bool| {
        for (service, line, shows) in ways(suite).into_iter().filter(|way| only(way.0)) {
            let output = alice.run(line);
            let last = plain(&output.stdout).lines().last().unwrap_or_default().to_owned();
            assert_ne!(last, shows, "{when}, {line}");
            let told = denied(service);
            let status = if line.ends_with("$?") { 1 } else { output.status };
            assert_says(&Output { status, ..output }, &told, &format!("{when}, {line}"));
        }
    };
    assert_all_denied(&mut alice, "with nothing", &|_| true);

    let admin = grant(&host, "alice admin --for 2h");
    for (_, line, shows) in ways(suite).into_iter().filter(|way| is_sudo(way.0)) {
        let_in(&mut alice, line, shows);
    }
    assert_all_denied(&mut alice, "with sudo alone", &|service| !is_sudo(service));
    // Who is root by a grant is root at every other door.
    for (line, shows) in [
        ("sudo -n sudo -n id -u", "0"),
        ("sudo -n su -c 'id -u'", "0"),
        ("sudo -n su - bob -c 'id -u'", "1001"),
        ("sudo -n doas id -u", "0"),
        ("sudo -n sudo -n -u bob id -u", "1001"),
    ] {
        let_in(&mut alice, line, shows);
    }
    // But who became somebody else by one is not.
    assert_ne!(alice.run("sudo -n -u bob sudo -n id -u").status, 0);
    assert_says(
        &alice.run("sudo -n -u bob su -c 'id -u'"),
        &denied("su"),
        "bob, whom alice became",
    );
    host.ok(&format!("stint revoke {} --reason 'for a test'", crate::common::id(&admin)));

    grant(&host, "alice doors --for 2h");
    for (_, line, shows) in ways(suite).into_iter().filter(|way| !is_sudo(way.0)) {
        let_in(&mut alice, line, shows);
    }
    let_in(&mut alice, "su -c 'sudo -n id -u'", "0");
    assert_all_denied(&mut alice, "with su alone", &is_sudo);
    revoke_all(&host);
    assert_all_denied(&mut alice, "after the end", &|_| true);
    grant_all(&host);
    for (_, line, shows) in ways(suite) {
        let_in(&mut alice, line, shows);
    }
}

#[test]
fn every_way_through_sudo_su_and_doas_is_gated_and_opened_by_its_role_on_bookworm() {
    every_way_is_gated(Suite::Bookworm);
}

#[test]
fn every_way_through_sudo_su_and_doas_is_gated_and_opened_by_its_role_on_trixie() {
    every_way_is_gated(Suite::Trixie);
}

fn sudoers_settings_change_nothing(suite: Suite) {
    let host =
        builder(suite, POLICY).file("/etc/sudoers.d/bob", 0o440, "bob ALL=(ALL:ALL) ALL\n").boot();
    host.ok("echo root:pw-root | chpasswd && stint gate on sudo");
    let mut bob = host.shell("bob");
    // The setting, the line, and whose password it asks for: PAM is told that this person
    // authenticates.
    let mut settings = vec![
        ("sudo", "rootpw", "sudo id -u", "pw-root", "0"),
        ("sudo", "targetpw", "sudo id -u", "pw-root", "0"),
        ("sudo", "targetpw", "sudo -u alice id -u", "pw-alice", "1000"),
        ("sudo", "runaspw, runas_default=alice", "sudo id -u", "pw-alice", "1000"),
    ];
    if suite.has_sudo_rs() {
        settings.push(("sudo-rs", "rootpw", "sudo-rs id -u", "pw-root", "0"));
        settings.push(("sudo-rs", "targetpw", "sudo-rs -u alice id -u", "pw-alice", "1000"));
    }
    // Alice and, by being root, root would get in; bob does not.
    grant(&host, "alice admin --for 2h");
    for (sudo, setting, line, password, _) in &settings {
        host.write("/etc/sudoers.d/setting", "0440", format!("Defaults {setting}\n"));
        let output = bob.run_with_password(line, password);
        assert_says(&output, &denied("sudo"), &format!("{sudo}, {setting}: {line}"));
    }
    revoke_all(&host);
    // The role gives bob a rule that asks nothing: so that he is asked, sudo has to be told.
    grant(&host, "bob admin --for 2h");
    for (sudo, setting, line, password, uid) in &settings {
        host.write(
            "/etc/sudoers.d/zz-setting",
            "0440",
            format!("Defaults {setting}\nbob ALL=(ALL:ALL) PASSWD: ALL\n"),
        );
        host.ok("rm -f /etc/sudoers.d/setting");
        assert!(bob.run(&format!("{sudo} -k")).ok());
        let output = bob.run_with_password(line, password);
        let last = plain(&output.stdout).lines().last().unwrap_or_default().to_owned();
        assert_eq!(
            (output.status, last.as_str()),
            (0, *uid),
            "{sudo}, {setting}: {line}: {output}"
        );
        assert!(
            output.stdout.contains("assword"),
            "{sudo}, {setting}: {line} asked for none: {output}"
        );
    }
}

#[test]
fn whose_password_sudo_asks_for_changes_nothing_on_bookworm() {
    sudoers_settings_change_nothing(Suite::Bookworm);
}

#[test]
fn whose_password_sudo_asks_for_changes_nothing_on_trixie() {
    sudoers_settings_change_nothing(Suite::Trixie);
}
