//! Who was let in last, by which grant: the session that begins next belongs to that grant, though
//! it may have ended since, and though another may open the door by now.

use std::collections::{HashMap, VecDeque};

use stint_proto::{GrantId, RoleName, Uid};

/// How many are remembered. A caller of PAM opens its session right after the check.
const LIMIT: usize = 4_096;

/// The grants of the latest checks, by the process that asked.
#[derive(Clone, Debug, Default)]
pub struct Passed {
    by_pid: HashMap<i32, (Uid, GrantId, RoleName)>,
    order: VecDeque<i32>,
}

impl Passed {
    /// This process was let in.
    pub fn put(&mut self, pid: i32, uid: Uid, grant: GrantId, role: RoleName) {
        if self.by_pid.insert(pid, (uid, grant, role)).is_none() {
            self.order.push_back(pid);
        }
        while self.order.len() > LIMIT {
            if let Some(oldest) = self.order.pop_front() {
                self.by_pid.remove(&oldest);
            }
        }
    }

    /// By what this process of this account was let in; once.
    pub fn take(&mut self, pid: i32, uid: Uid) -> Option<(GrantId, RoleName)> {
        let (of, grant, role) = self.by_pid.remove(&pid)?;
        self.order.retain(|other| *other != pid);
        (of == uid).then_some((grant, role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_check_of_a_process_counts_once_and_for_its_account_alone() {
        let mut passed = Passed::default();
        let role: RoleName = "admin".parse().unwrap();
        let id = |text: &str| text.parse::<GrantId>().unwrap();
        passed.put(7, Uid(1000), id("g4t9"), role.clone());
        passed.put(7, Uid(1000), id("k2mf"), role.clone());
        assert_eq!(passed.take(7, Uid(1000)), Some((id("k2mf"), role.clone())));
        assert_eq!(passed.take(7, Uid(1000)), None);
        passed.put(7, Uid(1000), id("g4t9"), role);
        assert_eq!(passed.take(7, Uid(1001)), None);
    }

    #[test]
    fn those_who_never_open_a_session_are_forgotten() {
        let mut passed = Passed::default();
        for pid in 0..10_000 {
            passed.put(pid, Uid(1000), "g4t9".parse().unwrap(), "admin".parse().unwrap());
        }
        assert_eq!((passed.by_pid.len(), passed.order.len()), (LIMIT, LIMIT));
        assert!(passed.take(9_999, Uid(1000)).is_some() && passed.take(1, Uid(1000)).is_none());
    }
}
