//! The way of this process into the control group of its session: it moves itself, as a thread, as
//! nobody has to wait for that. It enters what stintd says, where the kernel's tree is, and nothing
//! else; no descriptor is left.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};

/// Where the tree is.
const ROOT: &str = "/sys/fs/cgroup";

/// Enters the group of this path from the root of the tree.
///
/// # Errors
/// When the path is none of the tree's, or the kernel refuses; then nothing has changed.
pub fn enter(group: &str) -> io::Result<()> {
    if !group.starts_with('/') || group.split('/').any(|part| part == "..") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let path = format!("{ROOT}{group}/cgroup.threads");
    let mut file = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if fstatfs(&file)?.filesystem_type() != CGROUP2_SUPER_MAGIC {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // One call: the kernel takes it for the thread that makes it.
    file.write_all(b"0")
}
