//! `stint watch`: the board of what is asked and what is held, live. What it knows (`model`) and
//! what comes of each key and each piece of news (`update`) is pure; so is every line of it
//! (`board`, `page`, `columns`, `fit`) and how it is put on a screen (`draw`). The terminal
//! (`screen`, `keys`, `signals`), the daemon (`follow`), the store of the fleet (`fleet`) and the loop (`live`) are apart from that.

mod board;
mod columns;
mod draw;
mod fit;
mod fleet;
mod follow;
mod keys;
mod live;
mod model;
mod page;
mod screen;
mod signals;
#[cfg(test)]
mod tests;
mod update;

pub use live::{run, run_fleet};
pub use model::{Decision, Word};
pub use page::manual;
