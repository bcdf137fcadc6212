//! Programs of a host that are stopped for a while, as by SIGSTOP: alive, and doing nothing.

use crate::clock::eventually;
use crate::host::Host;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

/// Lines of shell that stop a process and wait until each of its threads has stopped. The signal
/// alone returns before: the kernel hands it to one thread, and until that one has been on a
/// processor the others go on.
#[must_use]
pub fn freezing(pid: &str) -> String {
    format!(
        "kill -STOP {pid} || exit 1\n\
         while cat /proc/{pid}/task/*/status | grep '^State:' | grep -qv '(stopped)'; do\n\
         sleep 0.005; done\n\
         test -d /proc/{pid} || exit 1\n"
    )
}

impl Host {
    /// Stops a process of the host, and returns once none of its threads runs any more.
    ///
    /// # Panics
    /// When there is no such process, or it does not stop.
    pub fn freeze(&self, pid: &str) {
        self.ok(&freezing(pid));
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it is gone.
    pub fn thaw(&self, pid: &str) {
        self.ok(&format!("kill -CONT {pid}"));
    }

    /// Stops the host's systemd itself, its process 1: from outside, as nobody in the host can.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn freeze_systemd(&self) {
        let leader = self.leader();
        kill(Pid::from_raw(leader), Signal::SIGSTOP).expect("the host runs");
        eventually("a stopped systemd", Duration::from_secs(20), || {
            let stat = fs::read_to_string(format!("/proc/{leader}/stat")).ok()?;
            stat.contains(") T ").then_some(())
        });
    }

    /// Lets the host's systemd go on.
    ///
    /// # Panics
    /// When it is gone.
    pub fn thaw_systemd(&self) {
        kill(Pid::from_raw(self.leader()), Signal::SIGCONT).expect("the host runs");
    }
}
