//! Who was let in last, by which grant: the session that begins next belongs to that grant, though
//! it may have ended since, and though another may open the door by now.

use std::collections::HashMap;

use stint_proto::{GrantId, RoleName, Uid};

/// How many are remembered before those are looked for that are gone.
const MANY: usize = 4_096;

/// The grants of the latest checks, by the process that asked.
#[derive(Clone, Debug)]
pub struct Passed {
    by_pid: HashMap<i32, (Uid, GrantId, RoleName)>,
    sweep_at: usize,
}

impl Default for Passed {
    fn default() -> Self {
        Self { by_pid: HashMap::new(), sweep_at: MANY }
    }
}

impl Passed {
    /// This process was let in. Nobody is forgotten who still `lives`: a process that is stopped
    /// between check and session may take its time.
    pub fn put(
        &mut self,
        pid: i32,
        uid: Uid,
        passed: (GrantId, RoleName),
        lives: impl Fn(i32) -> bool,
    ) {
        let (grant, role) = passed;
        self.by_pid.insert(pid, (uid, grant, role));
        if self.by_pid.len() > self.sweep_at {
            self.by_pid.retain(|pid, _| lives(*pid));
            self.sweep_at = self.by_pid.len().saturating_mul(2).max(MANY);
        }
    }

    /// The grant by which this process of this account was let in.
    #[must_use]
    pub fn of(&self, pid: i32, uid: Uid) -> Option<GrantId> {
        self.by_pid.get(&pid).filter(|(of, ..)| *of == uid).map(|(_, grant, _)| grant.clone())
    }

    /// By what this process of this account was let in; once.
    pub fn take(&mut self, pid: i32, uid: Uid) -> Option<(GrantId, RoleName)> {
        let (of, grant, role) = self.by_pid.remove(&pid)?;
        (of == uid).then_some((grant, role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(grant: &str) -> (GrantId, RoleName) {
        (grant.parse().unwrap(), "admin".parse().unwrap())
    }

    #[test]
    fn the_latest_check_of_a_process_counts_once_and_for_its_account_alone() {
        let mut passed = Passed::default();
        passed.put(7, Uid(1000), by("g4t9"), |_| true);
        passed.put(7, Uid(1000), by("k2mf"), |_| true);
        assert_eq!(passed.of(7, Uid(1000)), Some("k2mf".parse().unwrap()));
        assert_eq!(passed.of(7, Uid(1001)), None);
        assert_eq!(passed.take(7, Uid(1000)), Some(by("k2mf")));
        assert_eq!(passed.take(7, Uid(1000)), None);
        passed.put(7, Uid(1000), by("g4t9"), |_| true);
        assert_eq!(passed.take(7, Uid(1001)), None);
    }

    #[test]
    fn those_who_are_gone_are_forgotten_and_nobody_else() {
        let mut passed = Passed::default();
        for pid in 0..10_000 {
            passed.put(pid, Uid(1000), by("g4t9"), |pid| pid == 3);
        }
        assert!(passed.by_pid.len() <= MANY + 1);
        assert!(passed.take(3, Uid(1000)).is_some(), "it lives, however many came after it");
    }
}
