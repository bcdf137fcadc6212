//! Who really sits behind a call: not only the account that calls, but the person who logged in and
//! became it. Decided from what the kernel attests of the calling process.

use std::collections::HashMap;

use stint_proto::Uid;

/// One process, told from a later one of its number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
}

/// What the kernel attests of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The account that logged in (`/proc/PID/loginuid`); it stays whatever the process becomes.
    pub login: Option<Uid>,
    /// The account whose slice of the cgroup tree the process is in (`user-UID.slice`).
    pub slice: Option<Uid>,
    /// The process and those that started it, nearest first.
    pub line: Vec<Process>,
}

/// The account behind the one that calls, if it is another: by login, by cgroup, or because a
/// session that stint opened for somebody else is among the processes that started this one.
#[must_use]
pub fn other_behind(
    caller: Uid,
    evidence: &Evidence,
    sessions: &HashMap<Process, Uid>,
) -> Option<Uid> {
    let opened = evidence.line.iter().filter_map(|process| sessions.get(process).copied());
    evidence.login.into_iter().chain(evidence.slice).chain(opened).find(|uid| *uid != caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Uid = Uid(1000);
    const BOB: Uid = Uid(1001);

    fn evidence(login: Option<Uid>, slice: Option<Uid>, pids: &[i32]) -> Evidence {
        let line = pids.iter().map(|pid| Process { pid: *pid, started: 7 }).collect();
        Evidence { login, slice, line }
    }

    #[test]
    fn becoming_somebody_else_is_seen_by_each_of_the_three() {
        let none = HashMap::new();
        assert_eq!(other_behind(BOB, &evidence(Some(ALICE), None, &[]), &none), Some(ALICE));
        assert_eq!(other_behind(BOB, &evidence(Some(BOB), Some(ALICE), &[]), &none), Some(ALICE));
        let sessions = HashMap::from([(Process { pid: 5, started: 7 }, ALICE)]);
        assert_eq!(other_behind(Uid::ROOT, &evidence(None, None, &[9, 5]), &sessions), Some(ALICE));
        let reused = HashMap::from([(Process { pid: 5, started: 6 }, ALICE)]);
        assert_eq!(other_behind(Uid::ROOT, &evidence(None, None, &[9, 5]), &reused), None);
    }

    #[test]
    fn being_oneself_is_fine() {
        let sessions = HashMap::from([(Process { pid: 5, started: 7 }, BOB)]);
        let all = evidence(Some(BOB), Some(BOB), &[9, 5]);
        assert_eq!(other_behind(BOB, &all, &sessions), None);
        assert_eq!(other_behind(Uid::ROOT, &Evidence::default(), &HashMap::new()), None);
    }
}
