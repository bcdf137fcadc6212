//! The ways to become somebody else that a host has, each with the name of its PAM service, and
//! a host on which nothing but the gate stands in any of them. No promise is asserted here.

use crate::common::builder;
use stint_tests::{Host, HostBuilder, Output, Shell, Suite};

/// Roles for every door, held by nobody; none asks for a password.
pub const POLICY: &str = r#"
[roles.admin]
sudo     = [{ commands = ["ALL"] }]
password = false

[roles.doors]
services = ["su", "su-l", "doas"]
"#;

/// doas lets alice and root in without asking.
pub const DOAS: &str = "permit nopass alice\npermit nopass root\n";

/// One way to run a command as root without being asked anything.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    /// Its PAM service.
    pub service: &'static str,
    /// Its program.
    pub program: &'static str,
    before: &'static str,
    after: &'static str,
}

impl Door {
    /// The line that runs this command as root; there may be no quote in it.
    pub fn line(&self, command: &str) -> String {
        assert!(!command.contains('\''), "{command}");
        format!("{}{command}{}", self.before, self.after)
    }

    /// Whether its program shows PAM's messages to somebody without a terminal.
    pub fn speaks(&self) -> bool {
        self.program != "sudo-rs"
    }
}

const SUDO: Door = Door { service: "sudo", program: "sudo", before: "sudo -n ", after: "" };
const SUDO_RS: Door = Door { program: "sudo-rs", before: "sudo-rs -n ", ..SUDO };
const SU: Door = Door { service: "su", program: "su", before: "su -c '", after: "' root" };
const DOAS_DOOR: Door = Door { service: "doas", program: "doas", before: "doas -n ", after: "" };

/// The doors of a suite.
pub fn doors(suite: Suite) -> Vec<Door> {
    let mut doors = vec![SUDO, SU, DOAS_DOOR];
    if suite.has_sudo_rs() {
        doors.push(SUDO_RS);
    }
    doors
}

/// What somebody is told who holds nothing, and is eligible for nothing that opens this door.
pub fn denied(service: &str) -> String {
    format!("stint: no role in the policy of web-1 would open {service} for you.\n")
}

/// What everybody is told while stintd is away.
pub fn away(service: &str) -> String {
    format!(
        "stint: {service} is gated by stint, and stintd does not answer, so nobody is let in. \
         root: systemctl status stintd\n"
    )
}

/// What everybody is told when what answers is not stintd.
pub fn unbelieved(service: &str) -> String {
    format!(
        "stint: {service} is gated by stint, and stintd could not answer, so nobody is let in. \
         root: stint doctor\n"
    )
}

/// A host whose doors ask nothing, to be told more about: `open` finishes it.
pub fn doors_builder(suite: Suite) -> HostBuilder {
    builder(suite, POLICY).file("/etc/doas.conf", 0o400, DOAS)
}

/// Lets everybody through su without a password; and without what only takes time: a session of
/// logind's, and a pause after a denial.
pub fn free_su(host: &Host) {
    host.ok("sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/su");
    host.ok("sed -i '/pam_systemd/d' /etc/pam.d/common-session");
    host.ok("sed -i 's/^FAIL_DELAY.*//' /etc/login.defs && echo 'FAIL_DELAY 0' >>/etc/login.defs");
}

/// Puts the gate on all doors: it alone stands in them now.
pub fn gate_doors(host: &Host) {
    free_su(host);
    host.ok("stint gate on sudo su doas");
}

/// A host on which the gate alone stands in every door.
pub fn gated_doors(suite: Suite) -> Host {
    let host = doors_builder(suite).boot();
    gate_doors(&host);
    host
}

/// Gives alice both roles.
pub fn grant_all(host: &Host) {
    for role in ["admin", "doors"] {
        host.ok(&format!("stint grant alice {role} --for 2h --reason 'for a test'"));
    }
}

/// Ends every grant.
pub fn revoke_all(host: &Host) {
    host.ok("stint revoke --all --reason 'for a test'");
}

/// Runs a line as alice at once: no login session, no terminal, all output in one place.
pub fn as_alice(host: &Host, line: &str) -> Output {
    host.run(&alice(line))
}

/// The line of root's that runs a line as alice, without a login session.
pub fn alice(line: &str) -> String {
    let line = line.replace('\'', r"'\''");
    format!(
        "cd /home/alice && HOME=/home/alice setpriv --reuid=1000 --regid=1000 --init-groups sh -c '{line}'"
    )
}

/// Asserts that a line typed into this shell lets its person in, which it shows by this text.
pub fn let_in(shell: &mut Shell, line: &str, shows: &str) {
    let output = shell.run(line);
    let last = output.stdout.lines().last().unwrap_or_default().trim();
    assert_eq!((output.status, last), (0, shows), "{line}: {output}");
}

/// Asserts that alice becomes root by every door.
pub fn assert_open(host: &Host, when: &str) {
    for door in doors(host.suite()) {
        let output = as_alice(host, &door.line("id -u"));
        assert_eq!(
            (output.status, output.stdout.as_str()),
            (0, "0\n"),
            "{}, {when}: {output}",
            door.program
        );
    }
}
