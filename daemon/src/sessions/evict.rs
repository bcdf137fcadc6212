//! Ending processes for good: the polite signals, a while to tidy up, then SIGKILL, until none is
//! left. Each process is held by a pidfd while it is judged and signalled, so that no other takes
//! its place; who is meant is found anew each time, so that no child slips through.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::time::Duration;

use rustix::process::Signal;
use stint_proto::Uid;

use super::cgroup::Tree;
use crate::domain::control_group::Group;
use crate::domain::human::Process;
use crate::process::{self, Handle};

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// How long SIGKILL may take before the caller is told that it does not work.
const STUBBORN: Duration = Duration::from_secs(5);

/// Whose processes are meant.
#[derive(Clone, Debug)]
pub enum Whom {
    /// Those in a group of the tree, and in the groups inside it.
    In(Tree, Group),
    /// This process and all that it has started, as far as the line is unbroken.
    Under(Process),
    /// This account's processes that carry one of these groups.
    With {
        /// The account.
        uid: Uid,
        /// The groups, by number.
        gids: BTreeSet<u32>,
        /// Those who had them before, from somebody else.
        but: HashSet<Process>,
    },
}

/// Who was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Each of them, by name and number.
    pub all: Vec<(String, i32)>,
    /// How many of them only SIGKILL ended.
    pub killed: usize,
}

/// Who would not end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stubborn(pub Vec<(String, i32)>);

impl Whom {
    /// Who is meant, now. In the order in which they are to be signalled.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn find(&self) -> io::Result<Vec<Handle>> {
        let own = std::process::id();
        let candidates = match self {
            Self::In(tree, group) => tree.processes(group)?,
            Self::Under(_) => process::all()?,
            Self::With { .. } => {
                let mut pids = process::all()?;
                // A cheap look first; who seems to be meant is looked at again while it is held.
                pids.retain(|pid| process::rights(*pid).is_ok_and(|rights| self.fits(&rights)));
                pids
            }
        };
        let mut found = Vec::new();
        for pid in candidates {
            // The daemon, and whoever takes care of all that is left behind, is never meant.
            if pid <= 1 || u32::try_from(pid) == Ok(own) {
                continue;
            }
            found.extend(Handle::open(pid)?);
        }
        match self {
            // Who has left the group since is not in it.
            Self::In(tree, group) => found.retain(|handle| {
                tree.of(handle.process().pid).is_ok_and(|now| now.is_within(group))
            }),
            Self::Under(root) => keep_those_under(*root, &mut found),
            Self::With { but, .. } => {
                found.retain(|one| self.fits(one.rights()) && !but.contains(&one.process()));
            }
        }
        Ok(found)
    }

    fn fits(&self, rights: &process::Rights) -> bool {
        match self {
            Self::With { uid, gids, .. } => {
                rights.uids.contains(&uid.0) && !rights.gids.is_disjoint(gids)
            }
            Self::In(..) | Self::Under(_) => true,
        }
    }
}

fn keep_those_under(root: Process, found: &mut Vec<Handle>) {
    let parents: HashMap<i32, i32> =
        found.iter().map(|handle| (handle.process().pid, handle.parent())).collect();
    let lives = found.iter().any(|handle| handle.process() == root);
    let is_under = |pid: i32| {
        let line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        line.take(parents.len() + 1).any(|pid| pid == root.pid)
    };
    found.retain(|handle| lives && is_under(handle.process().pid));
}

/// One look at who is meant, with a signal for each.
struct Round {
    alive: Vec<(Process, String)>,
    killed: Vec<Process>,
}

/// Ends all who are meant: SIGTERM, SIGHUP and SIGCONT first; those who are left after `grace` get
/// SIGKILL. Returns when none is left.
///
/// # Errors
/// `Ok` with those who outlive SIGKILL, which the kernel delivers when it can: to be tried again.
/// `Err` when the kernel does not say who they are.
pub async fn end(whom: Whom, grace: Duration) -> Result<Ended, Result<Stubborn, io::Error>> {
    let (mut pause, longest) = PAUSES;
    let mut waited = Duration::ZERO;
    let mut seen: HashMap<Process, String> = HashMap::new();
    let mut killed: HashSet<Process> = HashSet::new();
    loop {
        let harsh = waited >= grace;
        let told: HashSet<Process> = seen.keys().copied().collect();
        let looking = whom.clone();
        let work = tokio::task::spawn_blocking(move || round(&looking, &told, harsh));
        let round = work.await.map_err(|error| Err(io::Error::other(error)))?.map_err(Err)?;
        if round.alive.is_empty() {
            if let Whom::In(tree, group) = &whom {
                tree.tidy(group);
            }
            let mut all: Vec<_> = seen.into_iter().map(|(one, name)| (name, one.pid)).collect();
            all.sort_by_key(|(_, pid)| *pid);
            return Ok(Ended { all, killed: killed.len() });
        }
        killed.extend(round.killed);
        if waited >= grace.saturating_add(STUBBORN) {
            let left = round.alive.into_iter().map(|(one, name)| (name, one.pid)).collect();
            return Err(Ok(Stubborn(left)));
        }
        seen.extend(round.alive);
        let step = if harsh { pause } else { pause.min(grace.saturating_sub(waited)) };
        tokio::time::sleep(step).await;
        waited = waited.saturating_add(step);
        pause = pause.saturating_mul(2).min(longest);
    }
}

fn round(whom: &Whom, told: &HashSet<Process>, harsh: bool) -> io::Result<Round> {
    let found = whom.find()?;
    let mut killed = Vec::new();
    if harsh && let Whom::In(tree, group) = whom {
        // All at once where the kernel can, so that nobody gets to start another. Where it cannot,
        // one by one does it too, look by look.
        drop(tree.kill(group));
    }
    for handle in &found {
        let process = handle.process();
        if harsh {
            handle.signal(Signal::KILL)?;
            killed.push(process);
        } else if !told.contains(&process) {
            for signal in [Signal::TERM, Signal::HUP, Signal::CONT] {
                handle.signal(signal)?;
            }
        }
    }
    let alive = found.into_iter().map(|one| (one.process(), one.name().to_owned())).collect();
    Ok(Round { alive, killed })
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn spawn(script: &str) -> (Child, Process) {
        let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let process = process::identify(i32::try_from(child.id()).unwrap()).unwrap();
        (child, process)
    }

    /// Waits until the process has a child that is called so.
    async fn child_of(process: Process, name: &str) {
        for _ in 0..1_000 {
            let found = Whom::Under(process).find().unwrap();
            if found.iter().any(|one| one.name() == name && one.process() != process) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no {name} was started");
    }

    #[tokio::test]
    async fn who_is_polite_goes_at_once_with_all_that_they_started() {
        let (mut child, process) = spawn("sleep 61 & wait");
        child_of(process, "sleep").await;
        let ended = end(Whom::Under(process), LONG).await.unwrap();
        child.wait().unwrap();
        assert_eq!((ended.all.len(), ended.killed), (2, 0), "{ended:?}");
    }

    #[tokio::test]
    async fn who_is_not_is_killed_after_the_grace() {
        let (mut child, process) = spawn("trap '' TERM HUP; sleep 62 & sleep 62; sleep 62");
        child_of(process, "sleep").await;
        let ended = end(Whom::Under(process), Duration::from_millis(50)).await.unwrap();
        child.wait().unwrap();
        assert!(ended.killed > 0, "{ended:?}");
    }

    #[tokio::test]
    async fn a_stopped_process_is_woken_to_end() {
        let (mut child, process) = spawn("kill -STOP $$; sleep 63");
        let ended = end(Whom::Under(process), LONG).await.unwrap();
        child.wait().unwrap();
        assert_eq!((ended.all.len(), ended.killed), (1, 0), "{ended:?}");
    }

    #[tokio::test]
    async fn nobody_else_is_touched() {
        let (mut child, process) = spawn("sleep 64");
        let other = Process { started: process.started + 1, ..process };
        let nobody = end(Whom::Under(other), LONG).await.unwrap();
        assert_eq!(nobody, Ended::default());
        let uid = Uid(nix::unistd::getuid().as_raw());
        let gids = BTreeSet::from([u32::MAX - 7]);
        let with = Whom::With { uid, gids, but: HashSet::new() };
        assert_eq!(end(with, LONG).await.unwrap(), Ended::default());
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn who_carried_the_group_before_keeps_it() {
        let (mut child, process) = spawn("sleep 65");
        let mine = process::rights(process.pid).unwrap();
        let (uid, gid) = (mine.uids.iter().next().unwrap(), mine.gids.iter().next().unwrap());
        let with = |but| Whom::With { uid: Uid(*uid), gids: [*gid].into(), but };
        let found =
            |whom: &Whom| whom.find().unwrap().iter().any(|handle| handle.process() == process);
        assert!(found(&with(HashSet::new())));
        assert!(!found(&with([process].into())));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
