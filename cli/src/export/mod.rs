//! The record in the forms that other programs take. Reads nothing and decides nothing: an event
//! in, its bytes out.

mod csv;
mod ocsf;

use std::io::{self, Write};

pub use self::csv::Table;
pub use self::ocsf::document as ocsf;
use crate::json;
use crate::selection::Recorded;

/// Where events go, and in which form.
#[derive(Debug)]
pub enum Form<W: Write> {
    /// A document a line, as `stint log --json`.
    Jsonl(W),
    /// A table.
    Csv(Table<W>),
    /// A document of the Open Cybersecurity Schema Framework a line; the record is this host's.
    Ocsf(W, String),
}

impl<W: Write> Form<W> {
    /// Takes one event.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, event: Recorded) -> io::Result<()> {
        match self {
            Self::Jsonl(to) => writeln!(to, "{}", json::line(&event.document())),
            Self::Csv(table) => table.put(event),
            Self::Ocsf(to, host) => writeln!(to, "{}", json::line(&ocsf(event, host))),
        }
    }

    /// Writes the rest, and gives back where it went.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(self) -> io::Result<W> {
        let mut to = match self {
            Self::Jsonl(to) | Self::Ocsf(to, _) => to,
            Self::Csv(table) => table.end()?,
        };
        to.flush()?;
        Ok(to)
    }
}
