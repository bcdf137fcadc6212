//! Programs of a host that are stopped for a while, as by SIGSTOP: alive, and doing nothing.

use crate::host::Host;

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
}
