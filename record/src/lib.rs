//! The record as a chain: what a link's hash covers, how a run of links is verified, and how links
//! are read from the state's file. The daemon writes by it and the command verifies by it; nothing
//! here writes, asks the daemon or reads a clock.
#![forbid(unsafe_code)]

mod chain;
pub mod rows;
mod seal;

pub use chain::{Checkpoint, Fault, Hash, Head, START, Verifier, digest, hex, unhex};
pub use seal::Seal;
