//! The running grants in memory: what a check looks at, and when the next thing is due.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stint_proto::{GrantId, Timestamp, Uid};

use super::grant::{Grant, Stage};
use crate::clock::Moment;

/// Every grant that is scheduled or active, by id and by holder, and their times in order.
#[derive(Clone, Debug, Default)]
pub struct Index {
    grants: BTreeMap<GrantId, Grant>,
    by_uid: HashMap<Uid, Vec<GrantId>>,
    starts: BTreeSet<(Timestamp, GrantId)>,
    ends_wall: BTreeSet<(Timestamp, GrantId)>,
    ends_boot: BTreeSet<(i64, GrantId)>,
}

/// When something is due next, on each clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextDue {
    /// On the wall clock.
    pub wall: Option<Timestamp>,
    /// On the boot clock, in microseconds since boot.
    pub boot: Option<i64>,
}

/// Why an id names no single grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotOne {
    /// None begins like it.
    None,
    /// So many do.
    Several(usize),
}

/// The one value whose id begins like `prefix`; an id in full always names its own.
///
/// # Errors
/// [`NotOne`] if none does, or more than one.
pub(super) fn one_of<'a, K: Ord + Clone, V>(
    all: &'a BTreeMap<K, V>,
    prefix: &K,
    text: fn(&K) -> &str,
) -> Result<&'a V, NotOne> {
    if let Some(exact) = all.get(prefix) {
        return Ok(exact);
    }
    let mut fits =
        all.range(prefix.clone()..).take_while(|(id, _)| text(id).starts_with(text(prefix)));
    match (fits.next(), fits.count()) {
        (None, _) => Err(NotOne::None),
        (Some((_, value)), 0) => Ok(value),
        (Some(_), more) => Err(NotOne::Several(more.saturating_add(1))),
    }
}

impl Index {
    /// Takes a grant in, in the place of the one with its id; one that has ended is taken out.
    pub fn put(&mut self, grant: Grant) {
        self.remove(&grant.id);
        let id = grant.id.clone();
        match grant.stage {
            Stage::Ended { .. } => return,
            Stage::Scheduled => {
                self.starts.insert((grant.starts_at, id.clone()));
            }
            Stage::Active => {}
        }
        self.ends_wall.insert((grant.deadline.wall, id.clone()));
        self.ends_boot.insert((grant.deadline.boot, id.clone()));
        self.by_uid.entry(grant.uid).or_default().push(id.clone());
        self.grants.insert(id, grant);
    }

    fn remove(&mut self, id: &GrantId) {
        let Some(old) = self.grants.remove(id) else { return };
        self.starts.remove(&(old.starts_at, id.clone()));
        self.ends_wall.remove(&(old.deadline.wall, id.clone()));
        self.ends_boot.remove(&(old.deadline.boot, id.clone()));
        if let Some(ids) = self.by_uid.get_mut(&old.uid) {
            ids.retain(|held| held != id);
            if ids.is_empty() {
                self.by_uid.remove(&old.uid);
            }
        }
    }

    /// The grant of this id, if it is scheduled or active.
    #[must_use]
    pub fn get(&self, id: &GrantId) -> Option<&Grant> {
        self.grants.get(id)
    }

    /// The one grant whose id begins like `prefix`.
    ///
    /// # Errors
    /// [`NotOne`] if none does, or more than one; the id in full always names its own grant.
    pub fn find(&self, prefix: &GrantId) -> Result<&Grant, NotOne> {
        one_of(&self.grants, prefix, GrantId::as_str)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values()
    }

    /// What this uid has been given, whatever the name.
    pub fn of_uid(&self, uid: Uid) -> impl Iterator<Item = &Grant> {
        self.by_uid.get(&uid).into_iter().flatten().filter_map(|id| self.grants.get(id))
    }

    /// Those that are over by either clock.
    #[must_use]
    pub fn due(&self, now: Moment) -> Vec<GrantId> {
        let by_wall = self.ends_wall.iter().take_while(|(at, _)| *at <= now.wall);
        let by_boot = self.ends_boot.iter().take_while(|(at, _)| *at <= now.boot);
        let ids: BTreeSet<&GrantId> =
            by_wall.map(|(_, id)| id).chain(by_boot.map(|(_, id)| id)).collect();
        ids.into_iter().cloned().collect()
    }

    /// Those whose time has come to begin.
    #[must_use]
    pub fn starting(&self, now: Moment) -> Vec<GrantId> {
        self.starts
            .iter()
            .take_while(|(at, _)| *at <= now.wall)
            .filter(|(_, id)| self.grants.get(id).is_some_and(|grant| grant.should_start(now)))
            .map(|(_, id)| id.clone())
            .collect()
    }

    /// When to look again.
    #[must_use]
    pub fn next_due(&self) -> NextDue {
        let start = self.starts.first().map(|(at, _)| *at);
        let end = self.ends_wall.first().map(|(at, _)| *at);
        NextDue {
            wall: start.into_iter().chain(end).min(),
            boot: self.ends_boot.first().map(|(at, _)| *at),
        }
    }
}

#[cfg(test)]
mod tests {
    use stint_proto::EndReason;

    use super::super::grant::tests::{at, sample};
    use super::*;

    #[test]
    fn a_prefix_names_a_grant_only_when_no_other_begins_like_it() {
        let mut index = Index::default();
        for id in ["g4t9", "g4", "k2mf"] {
            index.put(sample(id, "alice", 1000, "admin"));
        }
        assert_eq!(index.find(&"z".parse().unwrap()).unwrap_err(), NotOne::None);
        assert_eq!(index.find(&"g".parse().unwrap()).unwrap_err(), NotOne::Several(2));
        assert_eq!(index.find(&"k".parse().unwrap()).unwrap().id.as_str(), "k2mf");
        assert_eq!(index.find(&"g4".parse().unwrap()).unwrap().id.as_str(), "g4");
    }

    #[test]
    fn what_has_ended_leaves_no_trace() {
        let mut index = Index::default();
        let mut grant = sample("g4t9", "alice", 1000, "admin");
        index.put(grant.clone());
        assert_eq!(index.next_due().wall, Some(Timestamp::from_micros(100)));
        assert_eq!(index.starting(at(150)).len(), 1);
        grant.activate(at(150));
        index.put(grant.clone());
        assert!(index.starting(at(150)).is_empty());
        assert_eq!(index.next_due().wall, Some(Timestamp::from_micros(200)));
        assert_eq!(index.due(at(200)).len(), 1);
        grant.end(Timestamp::from_micros(200), EndReason::Expired);
        index.put(grant);
        assert_eq!(index.next_due(), NextDue::default());
        assert_eq!(index.of_uid(Uid(1000)).count(), 0);
    }
}
