//! stint's promises, each held against booted Debian hosts. One program, so that the hosts that
//! run at once are counted; one file below `hosts/` for each promise.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests report by panicking"
)]

#[path = "hosts/harness.rs"]
mod harness;
