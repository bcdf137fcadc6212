//! The gate on PAM files: `stint gate on` refuses what would not hold, shows what it changes, and
//! is undone to the byte; once on, no way through sudo, sudo-rs, su or doas passes it but a grant,
//! an exemption or being root, and these hold although stintd is dead.

use crate::common::{SOON, assert_says, builder, grant, plain};
use crate::doors::{POLICY, away, denied, gate_doors, gated_doors, grant_all, let_in, revoke_all};
use stint_tests::{Host, Output, Shell, Suite};

/// Every PAM file that a gate on sudo, su and doas could touch.
const FILES: &str = "sudo sudo-i su su-l doas common-account common-session";

const BEGIN: &str = "# stint gate: begin (written by stint gate on, removed by stint gate off)";

fn refused(output: &Output, status: i32, message: &str) {
    let found = (output.status, output.stdout.as_str(), output.stderr.as_str());
    assert_eq!(found, (status, "", message));
}

/// All bytes, modes, owners and attributes of the PAM files.
fn pam_files(host: &Host) -> String {
    host.ok("cd /etc/pam.d && stat -c '%n %a %u %g' * && getfacl -p * && sha256sum * && ls -A")
}

#[test]
fn gate_on_refuses_what_it_cannot_hold_and_changes_nothing_then() {
    let host = builder(Suite::Bookworm, POLICY)
        .file("/etc/pam.d/by-hand", 0o644, "account sufficient pam_permit.so\naccount requisite pam_stint.so\n")
        .file("/etc/pam.d/jumped", 0o644, "account [success=1 default=ignore] pam_permit.so\naccount requisite pam_stint.so\naccount required pam_permit.so\n")
        .file("/etc/pam.d/broken", 0o644, "account include nowhere\n")
        .file("/etc/pam.d/open-end", 0o644, "account required pam_permit.so \\\n")
        .file("/etc/pam.d/torn", 0o644, format!("{BEGIN}\naccount required pam_permit.so\n"))
        .boot();
    let before = pam_files(&host);
    let on = |services: &str| host.run(&format!("stint gate on {services}"));
    refused(
        &on("sodu"),
        2,
        "stint: there is no PAM service sodu: /etc/pam.d/sodu does not exist\n",
    );
    refused(
        &on("polkit-1"),
        2,
        "stint: polkit-1 has its PAM file in /usr/lib/pam.d/polkit-1 only: copy it to /etc/pam.d/polkit-1 first\n",
    );
    refused(
        &on("sudo by-hand"),
        1,
        "stint: by-hand was left as it is: /etc/pam.d/by-hand:2 names pam_stint.so and was written by hand; take it out first\n",
    );
    refused(
        &on("broken sudo"),
        1,
        "stint: broken was left as it is: its stack includes a file that is not there or includes itself: /etc/pam.d/broken:1\n",
    );
    for service in ["open-end", "torn", "common-account", "../passwd", "common-auth sudo"] {
        let output = on(service);
        assert!([1, 2].contains(&output.status) && output.stdout.is_empty(), "{service}: {output}");
    }
    // A stack that was written by hand and lets a denial through is named.
    let shown = host.ok("stint gate");
    for line in [
        "by-hand by hand - passes the gate by: /etc/pam.d/by-hand:1 can end the stack or jump over it",
        "jumped by hand - passes the gate by: /etc/pam.d/jumped:1 can end the stack or jump over it",
    ] {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(shown.lines().any(|found| words(found) == line), "{line}\nis not in\n{shown}");
    }
    // Nobody but root.
    for change in ["on", "off"] {
        refused(
            &host.as_user("alice", &format!("stint gate {change} sudo")),
            3,
            &format!("stint: stint gate {change} is root's: run it as root\n")
                .replace("stint: stint gate", "stint gate"),
        );
    }
    // Nor on a guess about the policy, nor naming a module that is not there.
    host.write_policy("[gate]\nmode = \"enforced\"\n");
    let output = on("sudo");
    assert_eq!(output.status, 1, "{output}");
    assert!(output.stderr.contains("/etc/stint/policy.toml:2:8: gate.mode: "), "{output}");
    host.write_policy(POLICY);
    host.ok("cd /usr/lib/*/security && mv pam_stint.so /root/");
    let output = on("sudo");
    assert_eq!(output.status, 1, "{output}");
    assert!(output.stderr.contains("pam_stint.so is in no PAM module folder"), "{output}");
    assert_eq!(pam_files(&host), before);
    assert!(!host.run("ls /var/lib/stint/gate/* 2>/dev/null").ok(), "a backup of nothing");
}

fn shows_and_undoes(suite: Suite) {
    let host = builder(suite, POLICY).boot();
    // An attribute and an owner of their own stay, too; a last line without its end comes back.
    host.ok("setfacl -m u:bob:r /etc/pam.d/su && printf '# the end' >>/etc/pam.d/doas");
    let before = pam_files(&host);
    let bytes: Vec<Vec<u8>> =
        FILES.split(' ').map(|name| host.read(&format!("/etc/pam.d/{name}"))).collect();

    let tried = host.ok("stint gate on --dry-run sudo su doas");
    assert_eq!(pam_files(&host), before, "a dry run changes nothing");
    let shown = host.ok("stint gate on sudo su doas");
    assert!(shown.starts_with(&tried), "what was shown is not what was done: {shown}");
    let hunk = |name: &str, session: &str| {
        format!(
            "\
--- /etc/pam.d/{name}
+++ /etc/pam.d/{name}
@@ -4,5 +4,11 @@
 session    required   pam_limits.so
 \n @include common-auth
+{BEGIN}
+account requisite pam_stint.so
+# stint gate: end
 @include common-account
 @include {session}
+{BEGIN}
+session optional pam_stint.so
+# stint gate: end
"
        )
    };
    let expected = hunk("sudo", "common-session-noninteractive")
        + "sudo-i goes along\n"
        + &hunk("sudo-i", "common-session");
    assert!(shown.starts_with(&expected), "wanted:\n{expected}\nbut:\n{shown}");
    assert!(
        shown.ends_with(
            "\nGated: sudo, sudo-i, su, doas. Who holds no grant is denied. \
         Undo it with:  stint gate off sudo su doas\n"
        ),
        "{shown}"
    );
    for (name, was) in FILES.split(' ').zip(&bytes).take(5).filter(|(name, _)| *name != "su-l") {
        let backup = format!("/var/lib/stint/gate/{name}");
        assert_eq!(&host.read(&backup), was, "{backup}");
        assert_eq!(
            host.ok(&format!("stat -c '%a %u %g' {backup} /var/lib/stint/gate")),
            "600 0 0\n700 0 0\n"
        );
    }
    // su -l is gated by the file that it includes, and a second time changes nothing.
    assert!(
        host.ok("stint gate")
            .lines()
            .any(|line| line.contains("su-l") && line.contains("through su"))
    );
    let gated = pam_files(&host);
    assert_eq!(
        host.ok("stint gate on sudo su doas"),
        "sudo, su, doas: already gated (enforce); nothing was changed.\n"
    );
    assert_eq!(pam_files(&host), gated);

    host.ok("stint gate off sudo su doas");
    assert_eq!(pam_files(&host), before);
    assert_eq!(host.ok("ls -A /var/lib/stint/gate"), "");
    assert_eq!(host.ok("stint gate off sudo"), "sudo: not gated; nothing was changed.\n");

    // What somebody wrote into the file meanwhile stays; --all takes what was written by hand.
    host.ok("stint gate on sudo && echo '# mine' >>/etc/pam.d/sudo && stint gate off sudo");
    let mut mine = bytes[0].clone();
    mine.extend_from_slice(b"# mine\n");
    assert_eq!(host.read("/etc/pam.d/sudo"), mine);
    host.ok("stint gate on su && printf '\\naccount requisite pam_stint.so\\n' >>/etc/pam.d/doas");
    host.ok("stint gate off --all");
    assert!(!host.run("grep -rl stint /etc/pam.d").ok(), "something names stint");
    assert_eq!(host.read("/etc/pam.d/su"), bytes[2]);
}

#[test]
fn gate_on_shows_the_difference_and_is_undone_to_the_byte_on_bookworm() {
    shows_and_undoes(Suite::Bookworm);
}

#[test]
fn gate_on_shows_the_difference_and_is_undone_to_the_byte_on_trixie() {
    shows_and_undoes(Suite::Trixie);
}

#[test]
fn no_line_of_the_file_passes_the_gate_by() {
    let host = builder(Suite::Bookworm, POLICY).boot();
    host.ok("cp /etc/pam.d/sudo /root/sudo");
    for first in [
        "account sufficient pam_permit.so",
        r"account [success=1 default=ignore] pam_permit.so\naccount required pam_permit.so",
        "account [default=done] pam_permit.so",
        "-account SUFFICIENT pam_permit.so",
        "account include opener",
        "account substack opener",
        "@include opener",
    ] {
        host.write("/etc/pam.d/opener", "0644", "account sufficient pam_permit.so\n");
        host.ok(&format!("(printf '{first}\\n'; cat /root/sudo) >/etc/pam.d/sudo"));
        assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n", "{first}: not a test");
        host.ok("stint gate on sudo");
        assert_says(
            &host.as_user("alice", "sudo -n id -u"),
            &denied("sudo", "alice", "admin"),
            first,
        );
        host.ok("stint gate off sudo");
    }
    // The same line above a line written by hand does pass it by, so this can be told apart.
    host.ok("(echo 'account sufficient pam_permit.so'; echo 'account requisite pam_stint.so'; \
             cat /root/sudo) >/etc/pam.d/sudo");
    assert_eq!(host.as_user("alice", "sudo -n id -u").stdout, "0\n");
    let doctor = host.run("stint doctor");
    let said = "sudo passes the gate by: /etc/pam.d/sudo:1 can end the stack or jump over it.";
    assert!(!doctor.ok() && doctor.stdout.contains(said), "{doctor}");
}

/// Root gets in by each of these, whatever becomes of stintd.
pub fn assert_root_gets_in(host: &Host, when: &str) {
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
    assert_says(&shells[0].run("sudo -n id -u"), &denied("sudo", "alice", "admin"), "alive");
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
        let role = if service.starts_with("sudo") { "admin" } else { "doors" };
        if *service == "sudo-i" {
            assert_eq!(alice.run(line).status, 1, "{line}");
        } else {
            assert_says(&alice.run(line), &denied(service, "alice", role), line);
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
        let role = if *service == "sudo" { "admin" } else { "doors" };
        for (user, shell) in [("alice", &mut alice), ("bob", &mut bob)] {
            let output = shell.run(&format!("{sudo} -n id -u"));
            assert_says(&output, &denied(service, user, role), &format!("{user}, {sudo}"));
        }
        // Nor does the password itself.
        let typed = bob.run_with_password(&format!("{sudo} id -u"), "pw-bob");
        assert_says(&typed, &denied(service, "bob", role), &format!("{sudo}, typed"));
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
            let role = if is_sudo(service) { "admin" } else { "doors" };
            let told = denied(service, "alice", role);
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
        &denied("su", "bob", "doors"),
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
        assert_says(
            &output,
            &denied("sudo", "bob", "admin"),
            &format!("{sudo}, {setting}: {line}"),
        );
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
