//! The documents of a store that did not come to count, and when each is looked at again. Of those that
//! did, nothing is kept. Numbers and names alone: it fetches nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::follow::Follower;

/// The most of them.
const LIMIT: usize = 1_024;

/// One of them.
#[derive(Clone, Debug)]
struct One {
    follower: Follower,
    /// When it is looked at again, since boot; never where that changes nothing.
    due: Option<Duration>,
}

/// All of them, by their keys.
#[derive(Debug, Default)]
pub(super) struct Troubled {
    all: BTreeMap<Vec<u8>, One>,
}

impl Troubled {
    /// What is known of it.
    pub(super) fn get(&self, key: &[u8]) -> Option<Follower> {
        self.all.get(key).map(|one| one.follower.clone())
    }

    /// Keeps one; says whether there was room.
    pub(super) fn keep(&mut self, key: &[u8], follower: Follower, due: Option<Duration>) -> bool {
        if !self.all.contains_key(key) && self.all.len() >= LIMIT {
            return false;
        }
        self.all.insert(key.to_vec(), One { follower, due });
        true
    }

    /// Forgets one; says whether it was known.
    pub(super) fn forget(&mut self, key: &[u8]) -> bool {
        self.all.remove(key).is_some()
    }

    /// The one that is to be looked at first, and when.
    pub(super) fn next(&self) -> Option<(Duration, &[u8])> {
        let due = self.all.iter().filter_map(|(key, one)| Some((one.due?, key.as_slice())));
        due.min()
    }

    /// It is being looked at, and not again by itself.
    pub(super) fn begun(&mut self, key: &[u8]) {
        if let Some(one) = self.all.get_mut(key) {
            one.due = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use stint_proto::Length;

    use super::*;

    #[test]
    fn the_first_is_looked_at_first_and_no_more_are_kept_than_there_is_room_for() {
        let follower = || Follower::new(Length::from_seconds(60).unwrap());
        let mut troubled = Troubled::default();
        assert_eq!(troubled.next(), None);
        for number in 0..2_000_u64 {
            let kept = troubled.keep(
                &number.to_be_bytes(),
                follower(),
                Some(Duration::from_secs(5_000 - number)),
            );
            assert_eq!(kept, number < 1_024);
        }
        assert!(troubled.keep(&7_u64.to_be_bytes(), follower(), None), "it is known");
        let (due, key) = troubled.next().unwrap();
        assert_eq!((due.as_secs(), key), (3_977, &1_023_u64.to_be_bytes()[..]));
        let key = key.to_vec();
        troubled.begun(&key);
        assert_ne!(troubled.next().unwrap().1, key);
        assert!(troubled.forget(&key) && !troubled.forget(&key));
    }
}
