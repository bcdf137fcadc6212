//! How the watched places were at one moment, as a value: of each file a mark that is another once
//! the file is, of accounts their names; never what a file says.

use std::collections::BTreeMap;

use nix::sys::stat::FileStat;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stint_proto::ResidueKind;

/// How much of a digest is kept: enough that no two states of one file are taken for the same.
const KEPT: usize = 6;

/// A short digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark(String);

impl Mark {
    /// Of these bytes.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let kept = hash.finalize();
        Self(kept.iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Of a file. The kernel sets ctime at every change of contents, owner, mode or links, and
    /// nobody can choose it. Numbers of inodes and devices are left out: a reboot may give others.
    #[must_use]
    pub fn of_file(stat: &FileStat) -> Self {
        let numbers = [
            stat.st_mode.into(),
            stat.st_uid.into(),
            stat.st_gid.into(),
            stat.st_size,
            stat.st_mtime,
            stat.st_mtime_nsec,
            stat.st_ctime,
            stat.st_ctime_nsec,
        ];
        Self::of(&numbers.map(i64::to_le_bytes).each_ref().map(<[u8; 8]>::as_slice))
    }

    /// Of a folder, or of a file whose lines are looked at one by one: whose it is, and who may
    /// change it.
    #[must_use]
    pub fn of_rights(stat: &FileStat) -> Self {
        let numbers: [i64; 3] = [stat.st_mode.into(), stat.st_uid.into(), stat.st_gid.into()];
        Self::of(&numbers.map(i64::to_le_bytes).each_ref().map(<[u8; 8]>::as_slice))
    }

    /// Of what stint itself has put there.
    #[must_use]
    pub fn own() -> Self {
        Self("own".to_owned())
    }
}

/// A digest that stands for the whole of a text: none other has it.
#[must_use]
pub fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The watched places at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Files by what they are and where, units and control groups too; folders end in `/`.
    pub(super) seen: BTreeMap<ResidueKind, BTreeMap<String, Mark>>,
    /// Files of accounts: each entry, by its name.
    pub(super) entries: BTreeMap<String, BTreeMap<String, Mark>>,
    /// Places that could not be looked at, or not in full, and why.
    pub(super) unseen: BTreeMap<String, String>,
    /// How many files were looked at for it.
    #[serde(skip)]
    pub(super) files: u32,
}

/// The place that stands for all of them.
pub(super) const EVERYWHERE: &str = "/";

impl Picture {
    /// Nothing could be seen.
    #[must_use]
    pub fn blind(why: &str) -> Self {
        let unseen = BTreeMap::from([(EVERYWHERE.to_owned(), why.to_owned())]);
        Self { unseen, ..Self::default() }
    }

    pub(super) fn put(&mut self, kind: ResidueKind, path: String, mark: Mark) {
        self.seen.entry(kind).or_default().insert(path, mark);
    }

    /// Takes in the other part of the same moment.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        for (kind, files) in other.seen {
            self.seen.entry(kind).or_default().extend(files);
        }
        self.entries.extend(other.entries);
        self.unseen.extend(other.unseen);
        self.files = self.files.saturating_add(other.files);
        self
    }

    /// What could not be looked at, and why, a line each.
    pub(super) fn unseen(&self) -> Vec<String> {
        self.unseen.iter().map(|(place, why)| format!("{place}: {why}")).collect()
    }

    /// How many files were looked at for it.
    #[must_use]
    pub fn files(&self) -> u32 {
        self.files
    }
}
