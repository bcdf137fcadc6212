//! The pending requests in memory, by id, by requester and by the time at which they lapse.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stint_proto::{RequestId, RoleName, Timestamp, Uid};

use super::index::{NotOne, one_of};
use super::request::Request;

/// Every request that is pending.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    requests: BTreeMap<RequestId, Request>,
    by_uid: HashMap<Uid, BTreeSet<RequestId>>,
    lapses: BTreeSet<(Timestamp, RequestId)>,
}

impl Pending {
    /// Takes a request in, in the place of the one with its id; one that is over is taken out.
    pub fn put(&mut self, request: Request) {
        self.remove(&request.id);
        if !request.is_pending() {
            return;
        }
        self.lapses.insert((request.lapses_at, request.id.clone()));
        self.by_uid.entry(request.uid).or_default().insert(request.id.clone());
        self.requests.insert(request.id.clone(), request);
    }

    fn remove(&mut self, id: &RequestId) {
        let Some(old) = self.requests.remove(id) else { return };
        self.lapses.remove(&(old.lapses_at, id.clone()));
        if let Some(ids) = self.by_uid.get_mut(&old.uid) {
            ids.remove(id);
            if ids.is_empty() {
                self.by_uid.remove(&old.uid);
            }
        }
    }

    /// The request of this id, if it is pending.
    #[must_use]
    pub fn get(&self, id: &RequestId) -> Option<&Request> {
        self.requests.get(id)
    }

    /// The one request whose id begins like `prefix`.
    ///
    /// # Errors
    /// [`NotOne`] if none does, or more than one.
    pub fn find(&self, prefix: &RequestId) -> Result<&Request, NotOne> {
        one_of(&self.requests, prefix, RequestId::as_str)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.values()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.requests.len()).unwrap_or(u32::MAX)
    }

    /// How many of them are this uid's.
    #[must_use]
    pub fn count_of(&self, uid: Uid) -> u32 {
        self.by_uid.get(&uid).map_or(0, |ids| u32::try_from(ids.len()).unwrap_or(u32::MAX))
    }

    /// The one of this uid for this role.
    #[must_use]
    pub fn of(&self, uid: Uid, role: &RoleName) -> Option<&Request> {
        let mut own = self.by_uid.get(&uid)?.iter().filter_map(|id| self.requests.get(id));
        own.find(|request| request.role == *role)
    }

    /// Those whose time to be pending is over.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<RequestId> {
        self.lapses.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| id.clone()).collect()
    }

    /// When the next one lapses.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lapses.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::tests::sample;
    use super::*;

    #[test]
    fn what_is_over_leaves_no_trace() {
        let mut pending = Pending::default();
        let mut request = sample("7kq2", 1);
        pending.put(request.clone());
        pending.put(request.clone());
        assert_eq!((pending.count(), pending.count_of(Uid(1000))), (1, 1));
        assert!(pending.of(Uid(1000), &request.role).is_some());
        assert_eq!(pending.due(Timestamp::from_micros(999)), []);
        assert_eq!(pending.due(Timestamp::from_micros(1_000)).len(), 1);
        request.lapse("late".to_owned(), Timestamp::from_micros(1_000));
        pending.put(request.clone());
        assert_eq!((pending.count(), pending.count_of(Uid(1000))), (0, 0));
        assert_eq!(pending.next_due(), None);
        assert_eq!(pending.find(&request.id).unwrap_err(), NotOne::None);
    }
}
