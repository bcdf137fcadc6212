//! What runs elevated: where it is kept so that all of it can be found, and how it is ended. A
//! session has a systemd scope of its own, named by the grant it runs under; without systemd a
//! group of the kernel's tree itself; without that only its processes are known. Decides nothing.

mod cgroup;
mod evict;
mod eviction;
mod members;
mod names;
mod place;
mod settle;
mod threads;
mod units;

pub use cgroup::Tree;
pub use evict::{Ended, Left, Whom, end};
pub use eviction::{Outcome, end_all, unknown};
pub use names::{names, processes};
pub use place::{Guest, Place, Placed, place};
pub use settle::settle;
pub use units::{Started, called_by, started};
