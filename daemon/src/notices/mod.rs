//! Tells people and programs what happened: a line on the terminals of those who are logged in, and
//! the event as JSON to the hooks. Decides nothing, and holds up nobody: whoever tells something
//! puts it into a queue and goes on.

mod body;
mod hooks;
mod logind;
mod terminals;

pub use body::body;
pub use hooks::{Hooks, run as run_hooks};
pub use terminals::{
    Audience, Notice, Notices, Standing, Waiting, run as run_terminals, tell_terminal,
};
