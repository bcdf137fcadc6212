//! Files of the host: policy files read with care, and files replaced whole or not at all.
//!
//! Knows paths and descriptors, nothing of what the files say. The daemon and the command share
//! it, so that a file which one of them trusts is trusted by the other for the same reasons.
#![forbid(unsafe_code)]

mod read;
mod replace;
mod staged;

pub use read::{ReadError, SIZE_LIMIT, read_dir, read_plain, read_policy, read_trusted};
pub use replace::{ReplaceError, put_file, replace_file};
pub use staged::{Look, Staged, open_dir, open_regular, read_all, remove};
