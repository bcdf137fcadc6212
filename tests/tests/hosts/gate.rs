//! `stint gate on` and `off` on PAM files: refuses what would not hold, shows what it changes, is
//! undone to the byte, and no line of a file passes it by.

use crate::common::{assert_says, builder};
use crate::doors::{POLICY, denied};
use stint_tests::{Host, Output, Suite};

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
        assert_says(&host.as_user("alice", "sudo -n id -u"), &denied("sudo"), first);
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
