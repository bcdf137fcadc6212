//! The record as the command reads it: page by page from the daemon, or from a state's file.
//! Judges nothing.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use stint_policy::text::quoted;
use stint_proto::{Link, RecordPage, Timestamp};
use stint_record::{Head, rows};

use crate::bus::Line;
use crate::failure::Failure;

/// How many links of a file are read at a time.
const PAGE: u32 = 10_000;

/// Where the record is read.
pub enum Source {
    /// From the daemon.
    Daemon(Line),
    /// From a file, as it is at one moment.
    File(Connection),
}

/// Some links of the record.
pub struct Page {
    /// The links.
    pub links: Vec<Link>,
    /// The last that was looked at; none where nothing is left.
    pub next: Option<i64>,
    /// The last link that was cut off; that of an empty chain where none was.
    pub cut: Head,
    /// The last link that there should be.
    pub head: Option<Head>,
}

/// This host's own state.
const STATE: &str = "/var/lib/stint/state.sqlite";

impl Source {
    /// From this state's file, or from the daemon.
    ///
    /// # Errors
    /// When it cannot be reached, or cannot be read.
    pub fn of(state: Option<&Path>) -> Result<Self, Failure> {
        state.map_or_else(Self::daemon, Self::file)
    }

    /// Whether it is the record of this host, as far as its path says.
    pub fn is_own(state: Option<&Path>) -> bool {
        state.is_none_or(|path| path == Path::new(STATE))
    }

    /// From the daemon.
    ///
    /// # Errors
    /// When the bus cannot be reached.
    pub fn daemon() -> Result<Self, Failure> {
        Line::open().map(Self::Daemon)
    }

    /// From a state's file, which is only read.
    ///
    /// # Errors
    /// When it cannot be read, or is no state of stint.
    fn file(path: &Path) -> Result<Self, Failure> {
        let name = quoted(&path.to_string_lossy());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(path, flags).and_then(|file| {
            file.busy_timeout(std::time::Duration::from_secs(5))?;
            // One transaction: what is written meanwhile is not seen.
            file.execute_batch("PRAGMA trusted_schema = OFF; BEGIN")?;
            rows::head(&file)?;
            Ok(file)
        });
        opened.map(Self::File).map_err(|error| {
            Failure::failed(format!("{name} is no state of stint with a chain: {error}"))
        })
    }

    /// The next links after `after`, none older than `since`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn page(&self, after: i64, since: Timestamp) -> Result<Page, Failure> {
        match self {
            Self::Daemon(line) => {
                let page: RecordPage = line.call("Record", &(after, since))?;
                let head = |seq, hash: Vec<u8>| Some(Head { seq, hash: hash.try_into().ok()? });
                let cut = page.cut.zip(page.cut_hash).and_then(|(seq, hash)| head(seq, hash));
                Ok(Page {
                    links: page.links,
                    next: page.next,
                    cut: cut.unwrap_or(Head::EMPTY),
                    head: head(page.head, page.head_hash),
                })
            }
            Self::File(file) => {
                let read = || {
                    Ok((rows::page(file, after, since, PAGE)?, rows::cut(file)?, rows::head(file)?))
                };
                let (page, cut, head) = read().map_err(|error: rusqlite::Error| {
                    Failure::failed(format!("the state's file cannot be read: {error}"))
                })?;
                Ok(Page { links: page.links, next: page.next, cut, head })
            }
        }
    }

    /// Lets time pass, in which the record may grow.
    pub fn pause(&self, length: std::time::Duration) {
        if let Self::Daemon(line) = self {
            line.pause(length);
        }
    }
}
