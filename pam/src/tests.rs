//! The module's rules against a stintd and a PAM that are scripts. What needs the real libpam is in
//! the folder `tests` beside this crate.

mod common;
mod phases;
mod question;
