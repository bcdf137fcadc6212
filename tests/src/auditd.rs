//! Debian's auditd for one host, and the machine's kernel audit switched on for as long. The kernel
//! takes orders about audit from its first PID namespace alone, so auditd runs there, but with the
//! host's files: its configuration, its log.

use crate::clock::{Deadline, eventually};
use crate::host::Host;
use crate::run::{end_tree, pid_of, run, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Follow no process, as it is given and as it is listed.
const RULE: &str = "task,never";
const RULE_LISTED: &str = "-a never,task";

const LIMIT: Duration = Duration::from_secs(60);

/// An auditd that runs; with this it ends, and audit is off again.
#[derive(Debug)]
pub struct Auditd {
    auditd: Child,
    leader: i32,
}

impl Auditd {
    /// Switches audit on, on a host with Debian's package of that name. `None` where the machine has an audit of its own that is in
    /// use, or none at all: then nothing is touched.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(host: &Host) -> Option<Self> {
        // Its own start fails, as the host is no first PID namespace.
        host.ok("systemctl disable --now auditd.service && systemctl reset-failed");
        let leader = host.leader();
        let status = auditctl(leader, &["-s"])?;
        // One that was killed is named until the kernel has something for it.
        let pid = status.lines().find_map(|line| line.strip_prefix("pid "))?;
        let is_served = pid != "0" && Path::new("/proc").join(pid).exists();
        // On, unserved, with our rule: tests that were killed have left it so.
        let is_left = || auditctl(leader, &["-l"]).is_some_and(|rules| rules.trim() == RULE_LISTED);
        if is_served || !(is_off(&status) || is_left()) {
            return None;
        }
        // Once audit was on the kernel follows the calls of each new process of the machine, until it
        // is booted again; with this rule it follows none. It stays, and may be there already.
        let _ = auditctl(leader, &["-a", RULE]);
        let mut command = enter(leader);
        // It goes with this thread, should that not come to its end.
        command.args(["setpriv", "--pdeathsig", "TERM"]);
        command.args(["/sbin/auditd", "-n", "-s", "enable"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let auditd = command.spawn().expect("auditd");
        let auditd = Self { auditd, leader };
        eventually("auditd", LIMIT, || (!is_off(&auditctl(leader, &["-s"])?)).then_some(()));
        Some(auditd)
    }
}

impl Drop for Auditd {
    fn drop(&mut self) {
        // Before it goes: what is recorded without it would go to the machine's console.
        let _ = auditctl(self.leader, &["-e", "0"]);
        // Politely: it signs off then.
        let _ = kill(Pid::from_raw(pid_of(&self.auditd)), Signal::SIGTERM);
        if wait(&mut self.auditd, Deadline::after(LIMIT)).is_none() {
            end_tree(&mut self.auditd);
        }
    }
}

/// Whether audit is off, by what auditctl says of it.
fn is_off(status: &str) -> bool {
    status.lines().any(|line| line == "enabled 0")
}

/// What auditctl says, run where the kernel takes orders; `None` where it has nothing to say.
fn auditctl(leader: i32, arguments: &[&str]) -> Option<String> {
    let mut command = enter(leader);
    command.arg("/sbin/auditctl").args(arguments);
    let output = run(command, b"", Deadline::after(LIMIT));
    output.ok().then_some(output.stdout)
}

/// A command with the files of the host, in the machine's PID namespace.
fn enter(leader: i32) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-t", &leader.to_string(), "-m", "-u", "-i", "--"]);
    command
}
