//! stintd: holds the grants of this host, answers the gate, and gives and takes back what a grant
//! confers. The one place where decisions are made; the module and the command only ask.
#![forbid(unsafe_code)]

pub mod accounts;
pub mod applied;
pub mod clock;
pub mod counters;
pub mod dbus;
pub mod domain;
pub mod enforce;
pub mod engine;
pub mod notices;
pub mod passwd;
pub mod polkit;
pub mod process;
pub mod record;
pub mod residue;
pub mod sessions;
mod signals;
pub mod standing;
pub mod store;
pub mod sweep;
pub mod systemd;
mod waitable;
