//! The module's rules against a stintd and a PAM that are scripts. What needs the real libpam is in
//! the folder `tests` beside this crate.

mod common;
#[path = "../../ask/src/tests/fake.rs"]
#[allow(dead_code, reason = "some of it only the tests of stint-ask need")]
mod fake;
mod phases;
mod prompt;
