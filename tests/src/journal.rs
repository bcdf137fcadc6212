//! Reads a host's own journal. It only reads.

use crate::host::Host;
use serde_json::Value;
use std::time::Duration;

impl Host {
    /// The journal's entries that match, oldest first, as objects. `matches` is what journalctl
    /// takes, such as `STINT_EVENT=check.denied` or `-t sudo`; empty for all.
    #[must_use]
    pub fn journal(&self, matches: &str) -> Vec<Value> {
        let lines = self.ok(&format!(
            "journalctl --sync && journalctl -q --all --no-pager --output=json {matches}"
        ));
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|e| panic!("the journal, {e}: {line}"))
        };
        lines.lines().map(parse).collect()
    }

    /// Waits until at least `count` entries match, and returns all that do.
    ///
    /// # Panics
    /// When there are fewer after `patience`.
    #[must_use]
    pub fn journal_of(&self, matches: &str, count: usize, patience: Duration) -> Vec<Value> {
        crate::eventually(&format!("{count} entries of {matches}"), patience, || {
            Some(self.journal(matches)).filter(|entries| entries.len() >= count)
        })
    }
}
