//! Turning standing privilege into eligibility, and giving it back: on this host's own files, as root,
//! with the daemon asked only what is held, which roles would do, and to record what was done. What
//! is not sure to leave somebody a way to ask is left as it is.

pub mod apply;
pub mod document;
pub mod group;
pub mod kept;
pub mod plan;
pub mod restore;
pub mod rule;
pub mod tools;

/// The policy file that adopting writes.
pub const POLICY: &str = "/etc/stint/policy.d/50-adopted.toml";
