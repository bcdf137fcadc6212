//! What the carrier's services cost it: time of a core, memory, open files, and bytes on the wire. It
//! reads the kernel's counters.

use stint_tests::Host;

use crate::number;

/// The counters of a service at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// The time that cores have spent on it, in microseconds.
    pub(crate) cpu: f64,
    /// Its resident memory, in megabytes.
    pub(crate) memory: f64,
    /// The files that it has open.
    pub(crate) files: f64,
    /// Bytes that simulated hosts and the carrier have sent each other, TCP and TLS included.
    pub(crate) wire: f64,
}

/// Reads those of this service.
pub(crate) fn of(carrier: &Host, unit: &str) -> Load {
    let said = carrier.ok(&format!(
        "sed -n 's/^usage_usec //p' /sys/fs/cgroup/system.slice/{unit}.service/cpu.stat
         pids=$(cat /sys/fs/cgroup/system.slice/{unit}.service/cgroup.procs)
         for pid in $pids; do sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$pid/status; done \
             | awk '{{ sum += $1 }} END {{ print sum / 1024 }}'
         for pid in $pids; do ls /proc/$pid/fd; done | wc -l
         cat /sys/class/net/lo/statistics/rx_bytes"
    ));
    let figures: Vec<f64> = said.lines().map(number).collect();
    let [cpu, memory, files, wire] = figures.as_slice() else { panic!("{unit}: {said}") };
    Load { cpu: *cpu, memory: *memory, files: *files, wire: *wire }
}
