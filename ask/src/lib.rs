//! The way to stintd of those who speak for others: the PAM module and stint-run, in a process that
//! root privilege runs.
//!
//! One constant socket, one question, one answer, one deadline. Whatever the caller controls has no
//! say: nothing here reads the environment, arguments or files, starts a thread or prints. An
//! answer is passed on; all else is an error.
//!
//! The module is loaded into every sudo, so this needs no standard library and takes no memory but
//! what is on the stack. Nothing here panics: the module does not link if it can.

#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

mod clock;
mod incoming;
#[expect(unsafe_code, reason = "the one file that calls the kernel")]
pub mod kernel;
mod peer;
mod questions;
#[cfg(test)]
mod tests;
mod text;

pub use clock::Deadline;
pub use incoming::Room;
pub use kernel::Errno;
pub use peer::{Daemon, Trouble};
pub use questions::{
    LONGEST_ID, NoAnswer, check, close_session, open_session, place_session, request_at_door,
    run_groups,
};
pub use text::{Line, Say, Text, harmless};
