//! When which host had a document: what is waited for and what is measured. It fetches nothing and
//! judges nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stint_tests::clock::wall;
use tokio::sync::Notify;

/// The document that is waited for, and who has it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    round: Mutex<Round>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Round {
    document: Vec<u8>,
    had: BTreeMap<usize, Duration>,
}

impl Tally {
    /// From now on this one is waited for.
    pub(crate) fn begin(&self, document: Vec<u8>) {
        *self.round() = Round { document, had: BTreeMap::new() };
    }

    /// This host has this document, now.
    pub(crate) fn note(&self, host: usize, document: &[u8]) {
        let now = wall();
        let mut round = self.round();
        if round.document == document {
            round.had.entry(host).or_insert(now);
            self.news.notify_one();
        }
    }

    /// How many have it.
    pub(crate) fn count(&self) -> usize {
        self.round().had.len()
    }

    /// When each host had it, by the wall clock, once all of these many have it; nothing if they
    /// have not within this time.
    pub(crate) async fn all(&self, hosts: usize, patience: Duration) -> Option<Vec<Duration>> {
        let complete = async {
            while self.count() < hosts {
                self.news.notified().await;
            }
        };
        tokio::time::timeout(patience, complete).await.ok()?;
        Some(self.round().had.values().copied().collect())
    }

    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use std::time::Duration;

    #[test]
    fn only_the_document_that_is_waited_for_counts_and_each_host_once() {
        let tally = Tally::default();
        tally.begin(vec![1]);
        tally.note(7, &[2]);
        tally.note(7, &[1]);
        tally.note(7, &[1]);
        assert_eq!(tally.count(), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let wait = |hosts| runtime.block_on(tally.all(hosts, Duration::from_millis(20)));
        assert_eq!(wait(2), None);
        assert_eq!(wait(1).unwrap().len(), 1);
    }
}
