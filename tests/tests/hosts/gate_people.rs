//! Whom a gate lets pass without a grant: the exempt and root, although stintd is dead, and
//! everybody where it only observes.

use crate::common::{SOON, assert_says, builder, plain};
use crate::doors::{POLICY, away, denied, gate_doors, let_in};
use stint_tests::{Host, Shell, Suite};

/// Root gets in by each of these, whatever becomes of stintd.
fn assert_root_gets_in(host: &Host, when: &str) {
    let mut lines =
        vec!["sudo -n", "sudo -n -i", "doas", "su -c", "su - -c", "su alice -c", "su - alice -c"];
    if host.suite().has_sudo_rs() {
        lines.push("sudo-rs -n");
    }
    for line in lines {
        let (quote, wanted) =
            (line.ends_with("-c"), if line.contains("alice") { "1000\n" } else { "0\n" });
        let line = if quote { format!("{line} 'id -u'") } else { format!("{line} id -u") };
        let output = host.run(&line);
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (0, wanted),
            "{when}, {line}: {output}"
        );
    }
}

fn exempt_and_root_pass(suite: Suite) {
    let policy = format!("[gate]\nexempt = [\"%ops-emergency\", \"carol\"]\n{POLICY}");
    let rules = "bob ALL=(ALL:ALL) NOPASSWD: ALL\ncarol ALL=(ALL:ALL) NOPASSWD: ALL\n";
    let doas = "permit nopass alice\npermit nopass bob\npermit nopass carol\npermit nopass root\n";
    let host = builder(suite, &policy)
        .file("/etc/sudoers.d/more", 0o440, rules)
        .file("/etc/doas.conf", 0o400, doas)
        .boot();
    host.ok("groupadd --system ops-emergency && usermod -aG ops-emergency bob && stint reload");
    gate_doors(&host);
    host.ok("systemctl mask --now stintd.socket stintd.service");
    let mut shells: Vec<Shell> =
        ["alice", "bob", "carol"].iter().map(|user| host.shell(user)).collect();
    let mut lines = vec![
        ("sudo", "sudo -n id -u"),
        ("sudo-i", "sudo -n -i id -u"),
        ("sudo", "sudo -n -u carol id -u"),
        ("su", "su -c 'id -u'"),
        ("su-l", "su - -c 'id -u'"),
        // Whom one becomes exempts nobody.
        ("su", "su carol -c 'id -u'"),
        ("doas", "doas -n id -u"),
        ("doas", "doas -n -u carol id -u"),
    ];
    if suite.has_sudo_rs() {
        lines.push(("sudo", "sudo-rs -n id -u"));
    }
    for (service, line) in lines {
        assert_says(&shells[0].run(line), &away(service), line);
        let uid = if line.contains("carol") { "1002" } else { "0" };
        for shell in &mut shells[1..] {
            let_in_whatever_is_said(shell, line, uid);
        }
    }
    assert_root_gets_in(&host, "stintd masked");
    // With stintd alive the exempt pass as well, and alice is told the rest.
    host.ok("systemctl unmask stintd.socket stintd.service && systemctl start stintd.service");
    assert_says(&shells[0].run("sudo -n id -u"), &denied("sudo"), "alive");
    let_in(&mut shells[1], "sudo -n id -u", "0");
    let_in(&mut shells[2], "su -c 'id -u'", "0");
}

fn let_in_whatever_is_said(shell: &mut Shell, line: &str, uid: &str) {
    let output = shell.run(line);
    assert_eq!((output.status, plain(&output.stdout)), (0, format!("{uid}\n")), "{line}");
}

#[test]
fn others_are_told_and_the_exempt_and_root_pass_while_stintd_is_dead_on_bookworm() {
    exempt_and_root_pass(Suite::Bookworm);
}

#[test]
fn others_are_told_and_the_exempt_and_root_pass_while_stintd_is_dead_on_trixie() {
    exempt_and_root_pass(Suite::Trixie);
}

fn observes(suite: Suite) {
    let observe = format!("[gate]\nmode = \"observe\"\n{POLICY}");
    let host = builder(suite, &observe).file("/etc/doas.conf", 0o400, crate::doors::DOAS).boot();
    gate_doors(&host);
    let mut lines = vec![
        ("sudo", "sudo -n id -u"),
        ("sudo-i", "sudo -n -i id -u"),
        ("su", "su -c 'id -u'"),
        ("su-l", "su - -c 'id -u'"),
        ("doas", "doas -n id -u"),
    ];
    if suite.has_sudo_rs() {
        lines.push(("sudo", "sudo-rs -n id -u"));
    }
    let mut alice = host.shell("alice");
    for (service, line) in &lines {
        let seen = host.journal(&format!("STINT_DECISION=observed STINT_SERVICE={service}")).len();
        let_in_whatever_is_said(&mut alice, line, "0");
        let entries = host.journal(&format!("STINT_DECISION=observed STINT_SERVICE={service}"));
        assert_eq!(entries.len(), seen + 1, "{line}");
        let entry = &entries[seen];
        assert_eq!(
            entry["MESSAGE"],
            format!("alice would be denied {service}; the gate only observes")
        );
        assert_eq!(
            (&entry["STINT_EVENT"], &entry["STINT_UID"]),
            (&"check.allowed".into(), &"1000".into())
        );
    }
    assert!(host.journal("STINT_EVENT=check.denied").is_empty());
    assert!(
        host.ok("stint gate")
            .lines()
            .filter(|line| line.contains("su-l"))
            .all(|line| !line.contains("denial"))
    );
    host.ok("systemctl mask --now stintd.socket stintd.service");
    for (_, line) in &lines {
        let_in_whatever_is_said(&mut alice, line, "0");
    }
    host.ok("systemctl unmask stintd.socket stintd.service && systemctl start stintd.service");

    // The policy alone does not bring it in force; gate on does, and says so before.
    host.load_policy(POLICY);
    let doctor = host.run("stint doctor");
    let said = "sudo: the PAM file says observe, the policy enforce.";
    assert!(!doctor.ok() && doctor.stdout.contains(said), "{doctor}");
    host.ok("stint gate on sudo su doas");
    for (service, line) in &lines {
        if *service == "sudo-i" {
            assert_eq!(alice.run(line).status, 1, "{line}");
        } else {
            assert_says(&alice.run(line), &denied(service), line);
        }
    }
    let denials = host.journal_of("STINT_EVENT=check.denied", lines.len(), SOON);
    assert_eq!(denials.len(), lines.len());
}

#[test]
fn observe_denies_nothing_and_logs_what_enforce_then_denies_on_bookworm() {
    observes(Suite::Bookworm);
}

#[test]
fn observe_denies_nothing_and_logs_what_enforce_then_denies_on_trixie() {
    observes(Suite::Trixie);
}
