//! The way to stintd of those who speak for others: the PAM module and stint-run, in a process that
//! root privilege runs.
//!
//! One constant socket, one question, one answer, one deadline. Whatever the caller controls has no
//! say: nothing here reads the environment, arguments or files, starts a thread or prints. An
//! answer is passed on; all else is an error.

#![forbid(unsafe_code)]

pub mod clock;
pub mod peer;
mod questions;
#[cfg(test)]
mod tests;
mod text;
pub mod wire;

pub use clock::Deadline;
pub use peer::{Daemon, Trouble};
pub use questions::{
    NoAnswer, check, close_session, open_session, place_session, request_at_door, run_groups,
};
pub use text::harmless;
