//! What the command and the stint-sync that it runs (`stint-sync --store FILE`) say to each other: a JSON
//! document a line, answers in the order of the questions. What is watched comes in between.

use serde::{Deserialize, Serialize};

/// What is asked of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    /// Everything below a key.
    Get {
        /// What the keys begin with.
        prefix: String,
        /// The most bytes of a value that is wanted.
        most: usize,
    },
    /// Put a value.
    Put {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// After how many seconds it goes by itself; never if absent.
        seconds: Option<u64>,
    },
    /// Tell what changes below a key, until the end.
    Watch {
        /// What the keys begin with.
        prefix: String,
        /// After which revision.
        after: i64,
        /// The most bytes of a value that is wanted.
        most: usize,
    },
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value; absent where it is no text, or larger than was wanted.
    pub value: Option<String>,
}

/// Why something could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// The store does not answer.
    Away,
    /// It does not let this person.
    Denied,
    /// Anything else.
    Failed,
}

/// What is said in return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Answer {
    /// Everything below the key.
    Got {
        /// As of this revision.
        revision: i64,
        /// In the order of the keys.
        entries: Vec<Entry>,
    },
    /// The value is there; the watch has begun.
    Done,
    /// What was asked last was not done.
    Not {
        /// Why.
        why: Trouble,
        /// The same for people, in one line.
        message: String,
    },
    /// Watched: a key has this value now.
    Put(Entry),
    /// Watched: a key is gone.
    Deleted(String),
    /// Watched: changes were missed, and everything has to be got again.
    Anew,
    /// Watched: the store does not answer, and why. It is tried on.
    Lost(String),
    /// Watched: it answers again.
    Found,
}
