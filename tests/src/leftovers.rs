//! What hosts leave on the machine, and its removal: mounts, the folder in /run, processes. Only
//! what bears the name of a host of these tests is touched, and processes end by their id.

use crate::cgroup;
use crate::run::children;
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// Where the hosts of all test processes have their folders.
pub(crate) const HOSTS: &str = "/run/stint-tests";

static SWEPT: Once = Once::new();

/// Removes the mounts and the folder of one host; its processes must have ended.
pub(crate) fn remove(folder: &Path) {
    for mount in [folder.join("root"), folder.to_owned()] {
        // More than once, should something have been mounted over it.
        while umount2(&mount, MntFlags::MNT_DETACH).is_ok() {}
    }
    let _ = fs::remove_dir(folder);
    if let Some(name) = folder.file_name() {
        cgroup::remove(&name.to_string_lossy());
        for kept in ["propagate", "unix-export"] {
            let _ = fs::remove_dir(Path::new("/run/systemd/nspawn").join(kept).join(name));
        }
    }
}

/// The first process of the host that this nspawn runs: its child, or its child's child, that is
/// number 1 in its own namespace.
pub(crate) fn leader_of(nspawn: i32) -> Option<i32> {
    let mut candidates = children(nspawn);
    let grandchildren: Vec<i32> = candidates.iter().flat_map(|pid| children(*pid)).collect();
    candidates.extend(grandchildren);
    candidates.into_iter().find(|pid| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            line.is_some_and(|pids| pids.split_whitespace().count() > 1 && pids.ends_with("\t1"))
        })
    })
}

/// Removes, once a process, what test processes that were killed have left.
pub(crate) fn sweep_once() {
    SWEPT.call_once(|| {
        for entry in fs::read_dir(HOSTS).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let owner = name.split('-').nth(1).and_then(|pid| pid.parse::<u32>().ok());
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                end(&entry.path(), &name);
                remove(&entry.path());
            }
        }
    });
}

/// Ends the nspawn of a folder, if the process with the id noted there is still that nspawn.
fn end(folder: &Path, name: &str) {
    let noted = fs::read_to_string(note(folder)).ok().and_then(|pid| pid.trim().parse().ok());
    let Some(nspawn) = noted else { return };
    let line = fs::read(format!("/proc/{nspawn}/cmdline")).unwrap_or_default();
    if line.split(|byte| *byte == 0).any(|word| word == name.as_bytes()) {
        for pid in leader_of(nspawn).into_iter().chain([nspawn]) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The file that notes the process id of a host's nspawn.
pub(crate) fn note(folder: &Path) -> PathBuf {
    folder.join("nspawn.pid")
}
