//! stint-sync: fetches documents over https, follows a store of them, and hands them to stintd, which
//! alone judges them. An account of its own runs it, with no privilege; it is the only part of stint
//! with a network, and a flaw in it, in TLS or in HTTP makes nobody root.
#![forbid(unsafe_code)]

mod certificates;
mod clock;
pub mod fetch;
pub mod follow;
mod person;
pub mod program;
mod publish;
mod quiet;
pub mod stintd;
pub mod store;
mod trouble;

/// How much what is told matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Things go as they should.
    Information,
    /// Something does not.
    Warning,
}

/// Any number. Without chance all hosts would only be as regular as their clocks.
#[must_use]
pub fn chance() -> u32 {
    getrandom::u32().unwrap_or_default()
}
