//! A control group for each host: without one of their own, hosts that run beside each other on a
//! machine would share one tree, and each one's systemd would find the other's processes in its
//! units.

use std::fs;
use std::path::{Path, PathBuf};

/// How the groups of hosts are called first.
const PREFIX: &str = "stint-tests-";

/// The group of the host of this name, made if there is none: inside the one that this process is
/// in. `None` where the machine has no tree of version 2.
pub(crate) fn of_host(name: &str) -> Option<PathBuf> {
    let group = folder()?.join(format!("{PREFIX}{name}"));
    fs::create_dir_all(&group).unwrap_or_else(|e| panic!("{}: {e}", group.display()));
    Some(group)
}

/// Removes a host's group and those inside it; its processes must have ended.
pub(crate) fn remove(name: &str) {
    if let Some(folder) = folder() {
        remove_all(&folder.join(format!("{PREFIX}{name}")));
    }
}

/// Bottom up, as the kernel wants it. What is still in use stays, and is empty.
fn remove_all(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_all(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where this process is in the tree of version 2, wherever that is mounted.
fn folder() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let root = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (place, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(root.join(path))
}
