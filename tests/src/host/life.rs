//! The boots of a host: from the start of its first process to its end, by order or by a power cut, and
//! again with the same files. Its line to a network comes and goes with them.

use super::{BOOT, Host};
use crate::cgroup;
use crate::clock::{Deadline, eventually};
use crate::leftovers::{leader_of, note};
use crate::network::namespace;
use crate::run::{end_tree, pid_of, wait};
use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::process::{Command, Stdio};

impl Host {
    /// Pulls out its line to its network: it reaches nobody, and nobody reaches it.
    ///
    /// # Panics
    /// When it has none.
    pub fn unplug(&self) {
        self.line.as_ref().expect("a line to a network").unplug();
    }

    /// Puts its line back. A boot does it too.
    ///
    /// # Panics
    /// When it has none.
    pub fn plug_in(&self) {
        self.line.as_ref().expect("a line to a network").plug_in();
    }

    /// Shuts it down in order and boots it again, with the same files.
    ///
    /// # Panics
    /// When it does not end or does not come up in time.
    pub fn reboot(&mut self) {
        self.switch_off();
        self.switch_on();
    }

    /// Shuts it down in order. Nothing runs in it until it is switched on again.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn switch_off(&mut self) {
        // The answer may be cut off by what it asks for.
        let _ = self.run("systemctl --no-block poweroff");
        let mut nspawn = self.nspawn.take().expect("a host that runs");
        let ended = wait(&mut nspawn, Deadline::after(BOOT)).is_some();
        if !ended {
            end_tree(&mut nspawn);
        }
        (self.leader, self.line) = (0, None);
        assert!(ended, "{} did not shut down: {}", self.name, self.console());
    }

    /// Boots it again after it was switched off, with the same files.
    ///
    /// # Panics
    /// When it does not come up in time.
    pub fn switch_on(&mut self) {
        assert!(self.nspawn.is_none(), "{} runs", self.name);
        self.start();
    }

    /// Cuts the power, and boots it again, with what had reached its files.
    ///
    /// # Panics
    /// When it does not come up in time.
    pub fn power_cut(&mut self) {
        self.stop();
        self.start();
    }

    pub(super) fn start(&mut self) {
        fs::create_dir_all("/run/systemd/inaccessible").expect("a folder that nspawn needs");
        let console = File::create(self.folder.join("console")).expect("a file for the console");
        let mut command = match cgroup::of_host(&self.name) {
            Some(group) => {
                let mut command = Command::new("sh");
                let enter = "echo $$ >\"$0/cgroup.procs\" && exec \"$@\"";
                command.args(["-c", enter]).arg(group).arg("env");
                command
            }
            None => Command::new("env"),
        };
        if self.own_uptime {
            // Whole seconds are all that can be said: without the wait the clock would begin before
            // the last moment of the boot before.
            let [called, _] = uptimes();
            eventually("another second", BOOT, || (uptimes()[0] != called).then_some(()));
            let [boot, monotonic] = uptimes().map(|seconds| format!("-{seconds}"));
            command.args(["unshare", "-T", "--boottime", &boot, "--monotonic", &monotonic]);
        }
        command.arg("systemd-nspawn");
        command.args(["-q", "-b", "--register=no", "--keep-unit", "--private-network"]);
        command.args(["--console=read-only", "--resolv-conf=off", "--timezone=off"]);
        command.arg("-D").arg(self.root()).args(["-M", &self.name]);
        command.arg(format!("--hostname={}", self.hostname)).args(&self.options);
        command.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        if self.kernel_audit {
            // Its filter of system calls is what keeps containers from audit.
            command.env("SYSTEMD_SECCOMP", "0");
        }
        command.stdin(Stdio::null());
        command.stderr(console.try_clone().expect("a second descriptor")).stdout(console);
        let nspawn = command.spawn().expect("systemd-nspawn is installed (systemd-container)");
        let pid = pid_of(&nspawn);
        self.nspawn = Some(nspawn);
        fs::write(note(&self.folder), pid.to_string()).expect("a note of the process");
        let deadline = Deadline::after(BOOT);
        self.leader = eventually(&format!("the first process of {}", self.name), BOOT, || {
            assert!(!self.nspawn_ended(), "{} did not start: {}", self.name, self.console());
            leader_of(pid)
        });
        self.line = self.network.clone().map(|network| {
            // Its first process is there before its network is.
            eventually(&format!("the network of {}", self.name), deadline.left(), || {
                assert!(!self.nspawn_ended(), "{} did not start: {}", self.name, self.console());
                (namespace(self.leader)? != namespace(std::process::id())?).then_some(())
            });
            network.line(&self.hostname, self.leader)
        });
        eventually(&format!("the boot of {}", self.name), deadline.left(), || {
            assert!(!self.nspawn_ended(), "{} ended at boot: {}", self.name, self.console());
            let state = self.run("systemctl is-system-running 2>/dev/null").stdout;
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
    }

    fn nspawn_ended(&mut self) -> bool {
        self.nspawn.as_mut().is_none_or(|child| child.try_wait().is_ok_and(|s| s.is_some()))
    }

    /// Ends it at once: its first process by SIGKILL, and with it the kernel ends all the others.
    pub(super) fn stop(&mut self) {
        let Some(mut nspawn) = self.nspawn.take() else { return };
        if let Some(leader) = leader_of(pid_of(&nspawn)) {
            let _ = kill(Pid::from_raw(leader), Signal::SIGKILL);
        }
        if wait(&mut nspawn, Deadline::seconds(20)).is_none() {
            end_tree(&mut nspawn);
        }
    }

    fn console(&self) -> String {
        fs::read_to_string(self.folder.join("console")).unwrap_or_default()
    }
}

/// For how many seconds the machine is up, suspend included and not.
fn uptimes() -> [i64; 2] {
    let read = |clock| clock_gettime(clock).expect("a clock that every kernel has").tv_sec();
    [ClockId::CLOCK_BOOTTIME, ClockId::CLOCK_MONOTONIC].map(read)
}
