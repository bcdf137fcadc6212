//! Groups that were made for sessions before they begin: a session follows its check within a moment,
//! and its process enters what is there by then. Values only.

use std::collections::{BTreeSet, HashMap};

use stint_proto::{GrantId, ServiceName};

use super::control_group::Group;
use super::human::Process;

/// How many services are known to open sessions. A PAM file names each, and root writes those.
const MOST_SERVICES: usize = 64;

/// A group for a session that has not begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Who enters it.
    pub process: Process,
    /// The grant that let it in.
    pub grant: GrantId,
    /// The id of the session to come.
    pub session: String,
    /// The group.
    pub group: Group,
}

/// The entrances there are, and where more are to be expected of use.
#[derive(Clone, Debug, Default)]
pub struct Entrances {
    by_pid: HashMap<i32, Entrance>,
    services: BTreeSet<ServiceName>,
}

impl Entrances {
    /// Sessions of this service enter groups.
    pub fn learn(&mut self, service: &ServiceName) {
        if self.services.len() < MOST_SERVICES && !self.services.contains(service) {
            self.services.insert(service.clone());
        }
    }

    /// Whether a check of this service is likely to be followed by a session that enters a group.
    #[must_use]
    pub fn expects(&self, service: &str) -> bool {
        self.services.iter().any(|known| known.as_str() == service)
    }

    /// There is one for this process, and none any more for an earlier one of its number.
    pub fn put(&mut self, entrance: Entrance) {
        self.by_pid.insert(entrance.process.pid, entrance);
    }

    /// Whether there is one for a process of this number.
    #[must_use]
    pub fn has(&self, pid: i32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// The one for a session of this process under this grant; once.
    pub fn take(&mut self, process: Process, grant: &GrantId) -> Option<Entrance> {
        let found = self.by_pid.get(&process.pid)?;
        let fits = found.process == process && found.grant == *grant;
        fits.then(|| self.by_pid.remove(&process.pid)).flatten()
    }

    /// This group is no longer to be entered.
    pub fn forget(&mut self, group: &Group) {
        self.by_pid.retain(|_, entrance| entrance.group != *group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> GrantId {
        text.parse().unwrap()
    }

    fn process(pid: i32, started: u64) -> Process {
        Process { pid, started }
    }

    fn entrance(process: Process, grant: &str) -> Entrance {
        let group = format!("/user.slice/user-7.slice/session-1.scope/stint-{grant}-1.scope");
        let group = Group::parse(&group).unwrap();
        Entrance { process, grant: id(grant), session: "1".to_owned(), group }
    }

    #[test]
    fn one_is_for_one_process_under_one_grant_and_once() {
        let mut entrances = Entrances::default();
        let own = entrance(process(5, 1), "g4t9");
        entrances.put(own.clone());
        assert!(entrances.has(5) && !entrances.has(6));
        assert_eq!(entrances.take(process(5, 2), &id("g4t9")), None, "a later one of its number");
        assert_eq!(entrances.take(process(5, 1), &id("k2mf")), None);
        assert_eq!(entrances.take(process(5, 1), &id("g4t9")), Some(own));
        assert_eq!(entrances.take(process(5, 1), &id("g4t9")), None);
    }

    #[test]
    fn what_is_gone_is_not_entered() {
        let mut entrances = Entrances::default();
        let gone = entrance(process(5, 1), "g4t9");
        entrances.put(gone.clone());
        entrances.put(entrance(process(6, 1), "k2mf"));
        entrances.forget(&gone.group);
        assert!(!entrances.has(5) && entrances.has(6));
    }

    #[test]
    fn services_are_learned_and_not_without_end() {
        let mut entrances = Entrances::default();
        let service = |number: usize| format!("door{number}").parse::<ServiceName>().unwrap();
        for number in 0..1_000 {
            entrances.learn(&service(number));
        }
        assert!(entrances.expects("door0") && !entrances.expects("door999"));
        assert_eq!(entrances.services.len(), MOST_SERVICES);
    }
}
