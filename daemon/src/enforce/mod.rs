//! What a grant does to the host, and its undoing: memberships, the sudo and polkit rule files, tickets. Sync
//! code for one blocking thread. Decides nothing: what shall be comes in as a value, what came of
//! it goes out as one. No clock, no store, no bus.
//!
//! Each mechanism is told all that shall hold and brings it about, so giving, taking back, finishing
//! after a crash and trying again are one function. The mechanisms share no trait, because they
//! share no shape: memberships are owned one by one, and ownership must be durable before each
//! change; what one backend gave is taken back by the same one, and before the other gives it; the rule files are one text each, replaced whole; tickets are only ever removed.

pub mod caches;
pub mod change;
pub mod etc_locks;
pub mod group_files;
mod group_text;
pub mod groups;
pub mod polkit_rule;
pub mod polkit_text;
pub mod run;
pub mod sudo_probe;
pub mod sudo_rule;
mod sudo_text;
pub mod tickets;
pub mod userdb;
mod wait;
pub mod watch;
mod whole_file;
