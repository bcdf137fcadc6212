//! What rule files that are replaced whole have in common. Writes nothing.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;

use nix::unistd::geteuid;
use stint_hostfiles::{open_regular, read_all};

/// Whether the file is in place, says this, and is of this mode and of this process's account: one
/// that whoever reads such files would read.
pub(super) fn says(folder: &File, name: &str, mode: u32, text: &str) -> bool {
    open_regular(folder, name).is_ok_and(|(file, metadata)| {
        looks_right(&metadata, mode) && read_all(&file).is_ok_and(|bytes| bytes == text.as_bytes())
    })
}

/// Whether a file is of this mode and of this process's account.
pub(super) fn looks_right(metadata: &Metadata, mode: u32) -> bool {
    metadata.mode() & 0o7777 == mode && metadata.uid() == geteuid().as_raw()
}
