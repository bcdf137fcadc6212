//! The way of this process into the control group of its session: it moves itself, as a thread, as
//! nobody has to wait for that. It enters what stintd says, where the kernel's tree is, and nothing
//! else; no descriptor is left.

use stint_ask::kernel::Descriptor;
use stint_ask::{Errno, Text};

/// Where the tree is.
const ROOT: &str = "/sys/fs/cgroup";

/// Room for any path that the kernel takes.
type Path = Text<4_096>;

/// Enters the group of this path from the root of the tree.
///
/// # Errors
/// When the path is none of the tree's, or the kernel refuses; then nothing has changed.
pub fn enter(group: &str) -> Result<(), Errno> {
    if !group.starts_with('/') || group.split('/').any(|part| part == "..") {
        return Err(Errno::INVALID);
    }
    let path = Path::of([ROOT, group, "/cgroup.threads"]);
    if path.is_cut() {
        return Err(Errno::TOO_LONG);
    }
    let file = uninterrupted(|| Descriptor::open_to_write(path.as_c()))?;
    if !file.is_of_control_groups()? {
        return Err(Errno::NOT_SUPPORTED);
    }
    // One call: the kernel takes it for the thread that makes it.
    match uninterrupted(|| file.write(b"0"))? {
        1 => Ok(()),
        _ => Err(Errno::INVALID),
    }
}

/// Calls again where a signal came in between.
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTERRUPTED) => {}
            result => return result,
        }
    }
}
