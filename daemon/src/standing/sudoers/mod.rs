//! The rules of sudo as values: files with what they include, aliases, rules, and what a rule comes
//! to on this host. Reads files; runs sudo's own converter to be told where it reads otherwise.
//! Changes nothing.

mod commands;
mod grammar;
mod judge;
mod lines;
mod model;
mod read;

pub(super) use commands::is_root_by_itself;
pub use judge::{Give, Judge};
pub use model::{At, Who};
pub use read::read;
