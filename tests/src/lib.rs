//! The harness: whole Debian hosts, booted with their own systemd, D-Bus, journal, sudo, sudo-rs,
//! su and doas, to hold stint's promises against. Linux only, root only, needs systemd-container
//! and mmdebstrap. It must leave nothing behind, not even when a test panics, must never end a
//! process that it did not start, and must never touch the machine's own clock or accounts.
//!
//! ```no_run
//! use stint_tests::{Host, Suite};
//!
//! let host = Host::boot(Suite::Trixie);
//! let refused = host.as_user("alice", "sudo -n true");
//! assert_ne!(refused.status, 0, "{refused}");
//! ```

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a harness reports by panicking: its caller is always a test"
)]

mod auditd;
mod browser;
mod cgroup;
pub mod clock;
mod dialogue;
mod files;
mod freeze;
mod host;
mod image;
mod journal;
mod leftovers;
mod network;
mod run;
mod screen;
mod shell;
mod slots;
mod store;
mod trace;

pub use auditd::Auditd;
pub use browser::Browser;
pub use clock::{Deadline, eventually};
pub use dialogue::Dialogue;
pub use files::deb_under_test;
pub use freeze::freezing;
pub use host::{Host, HostBuilder, USERS};
pub use image::Suite;
pub use network::Network;
pub use nix::errno::Errno;
pub use run::Output;
pub use screen::Screen;
pub use shell::Shell;
pub use store::{Right, Store, with_etcd};
pub use trace::{Call, Fault, Kind, Plan, Trace};
