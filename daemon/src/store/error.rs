//! What can go wrong with the state, and what it says.

use std::fmt;
use std::path::PathBuf;

use super::schema;

/// What went wrong with the state.
#[derive(Debug)]
pub enum StoreError {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// The file is damaged.
    Damaged {
        /// Which file.
        path: PathBuf,
        /// The first thing that `quick_check` found.
        found: String,
    },
    /// A later version of stint wrote it.
    TooNew {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// The thread that owns it is gone.
    Closed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(error) => write!(f, "the state could not be written or read: {error}"),
            Self::Damaged { path, found } => write!(
                f,
                "{} is damaged ({found}): nobody is let in on it. Stop stintd, put a copy back or \
                 move the file away, and start it again",
                path.display()
            ),
            Self::TooNew { path, version } => write!(
                f,
                "{} was written by a later stint (its version is {version}, this one knows {}): \
                 install that version again",
                path.display(),
                schema::VERSION
            ),
            Self::Closed => f.write_str("the state is closed"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
