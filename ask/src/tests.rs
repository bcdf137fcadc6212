//! The questions against a stintd that is a script.

mod fake;
mod question;
