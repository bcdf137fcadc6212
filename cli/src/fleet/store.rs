//! The store of a fleet, as far as the command needs it: get, put, watch. The one that is real is
//! stint-sync, run for it; nothing here knows a network.

use std::time::Duration;

pub use stint_proto::store::Entry;

use crate::failure::Failure;

/// What happens while the store is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A key has this value now.
    Put(Entry),
    /// A key is gone.
    Deleted(String),
    /// Changes were missed: everything has to be got again.
    Anew,
    /// The store does not answer, and why; it is tried on.
    Lost(String),
    /// It answers again.
    Found,
}

/// A store.
pub trait Store {
    /// Everything below a key, and the revision at which it was so. Values larger than `most` bytes
    /// are left out.
    ///
    /// # Errors
    /// When it cannot be reached, or does not let this person.
    fn get(&mut self, prefix: &str, most: usize) -> Result<(i64, Vec<Entry>), Failure>;

    /// Puts a value, which goes by itself after so many seconds, if any are given.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn put(&mut self, key: &str, value: &str, seconds: Option<u64>) -> Result<(), Failure>;

    /// Tells from now on what changes below a key, after this revision. Once in the life of a store.
    ///
    /// # Errors
    /// As [`Self::get`].
    fn watch(&mut self, prefix: &str, after: i64) -> Result<(), Failure>;

    /// The next of what happens, or nothing within this time.
    ///
    /// # Errors
    /// When nothing will happen any more.
    fn next(&mut self, within: Duration) -> Result<Option<Event>, Failure>;
}
