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
    /// Those in a group of the tree, in the groups inside it, and in its [`Group::home`].
    In(Tree, Group),
    /// These processes and all that they have started, as far as the line is unbroken.
    Under(BTreeSet<Process>),
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

/// Processes, with their names.
type Named = HashMap<Process, String>;

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
    /// Those in these groups. A [`Group::home`] is looked at with the group that its people come
    /// from, and after that.
    #[must_use]
    pub fn in_groups(tree: &Tree, groups: &HashSet<Group>) -> Vec<Self> {
        let homes: HashSet<Group> = groups.iter().filter_map(Group::home).collect();
        let apart = groups.difference(&homes);
        apart.map(|group| Self::In(tree.clone(), group.clone())).collect()
    }

    /// Who is meant, now, by name and number. Ends nobody.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn find(&self) -> io::Result<Vec<(String, i32)>> {
        Ok(listed(self.meet(|_| Ok(()))?))
    }

    /// Whether this very process is among them, or stems from them: ending them would end it.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn holds_this_process(&self) -> io::Result<bool> {
        let line = process::own_line()?;
        Ok(match self {
            Self::In(tree, group) => {
                line.iter().any(|one| tree.holds(group, one.pid).unwrap_or(false))
            }
            Self::Under(roots) => line.iter().any(|one| roots.contains(one)),
            // Those are passed over one by one.
            Self::With { .. } => false,
        })
    }

    /// Meets everybody who is meant, one at a time, so that no number of them is too great. What
    /// fails with one does not keep the others from being met.
    fn meet(&self, mut each: impl FnMut(&Handle) -> io::Result<()>) -> io::Result<Named> {
        let own = process::own_line()?;
        let mut met = Named::new();
        let mut failed = None;
        for pid in self.candidates()? {
            let done = self.hold(pid, &own).and_then(|held| {
                let Some(handle) = held else { return Ok(()) };
                met.insert(handle.process(), handle.name().to_owned());
                each(&handle)
            });
            if let Err(error) = done {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(met), Err)
    }

    /// Who may be meant, at a cheap look.
    fn candidates(&self) -> io::Result<Vec<i32>> {
        match self {
            Self::In(tree, group) => tree.processes(group),
            Self::With { .. } => process::all(),
            Self::Under(roots) => {
                let all = process::parents()?;
                let parents: HashMap<i32, i32> =
                    all.iter().map(|(one, parent)| (one.pid, *parent)).collect();
                let living: HashSet<i32> = all
                    .iter()
                    .filter_map(|(one, _)| roots.contains(one).then_some(one.pid))
                    .collect();
                let is_under = |pid: i32| {
                    let line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
                    line.take(parents.len() + 1).any(|pid| living.contains(&pid))
                };
                Ok(all.iter().map(|(one, _)| one.pid).filter(|pid| is_under(*pid)).collect())
            }
        }
    }

    /// Takes hold of this process, if it is meant. Never of this one or of those it stems from,
    /// nor of the one that takes care of all that is left behind.
    fn hold(&self, pid: i32, own: &[Process]) -> io::Result<Option<Handle>> {
        if pid <= 1 || own.iter().any(|one| one.pid == pid) {
            return Ok(None);
        }
        if let Self::With { .. } = self {
            match process::rights(pid) {
                Ok(rights) if self.fits(&rights) => {}
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let Some(handle) = Handle::open(pid)? else { return Ok(None) };
        // Who has left the group since is not in it; who is another by now is not meant.
        let is_meant = match self {
            Self::In(tree, group) => match tree.holds(group, pid) {
                Ok(is_in) => is_in,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            },
            Self::Under(_) => true,
            Self::With { but, .. } => {
                self.fits(handle.rights()) && !but.contains(&handle.process())
            }
        };
        Ok(is_meant.then_some(handle))
    }

    fn fits(&self, rights: &process::Rights) -> bool {
        match self {
            Self::With { uid, gids, .. } => {
                rights.uids.contains(&uid.0) && !rights.gids.is_disjoint(gids)
            }
            Self::In(..) | Self::Under(_) => true,
        }
    }

    /// Who was seen stays meant with all that they start, though who started them is gone.
    fn follow(&mut self, seen: &Named) {
        if let Self::Under(roots) = self {
            roots.extend(seen.keys());
        }
    }
}

fn listed(named: Named) -> Vec<(String, i32)> {
    let mut all: Vec<_> = named.into_iter().map(|(one, name)| (name, one.pid)).collect();
    all.sort_by_key(|(_, pid)| *pid);
    all
}

/// Ends all who are meant: SIGTERM, SIGHUP and SIGCONT first; those who are left after `grace` get
/// SIGKILL. Returns when none is left.
///
/// # Errors
/// `Ok` with those who outlive SIGKILL, which the kernel delivers when it can: to be tried again.
/// `Err` when the kernel does not say who they are.
pub async fn end(mut whom: Whom, grace: Duration) -> Result<Ended, Result<Stubborn, io::Error>> {
    let (mut pause, longest) = PAUSES;
    let mut waited = Duration::ZERO;
    let mut seen = Named::new();
    let mut killed: HashSet<Process> = HashSet::new();
    loop {
        let harsh = waited >= grace;
        let told: HashSet<Process> = seen.keys().copied().collect();
        let looking = whom.clone();
        let work = tokio::task::spawn_blocking(move || round(&looking, &told, harsh));
        let (alive, is_empty) = work.await.map_err(|e| Err(io::Error::other(e)))?.map_err(Err)?;
        if alive.is_empty() && is_empty {
            return Ok(Ended { all: listed(seen), killed: killed.len() });
        }
        if harsh {
            killed.extend(alive.keys());
        }
        if waited >= grace.saturating_add(STUBBORN) {
            let unseen = io::Error::other("somebody is in its control group who cannot be found");
            return Err(if alive.is_empty() { Err(unseen) } else { Ok(Stubborn(listed(alive))) });
        }
        whom.follow(&alive);
        seen.extend(alive);
        let step = if harsh { pause } else { pause.min(grace.saturating_sub(waited)) };
        tokio::time::sleep(step).await;
        waited = waited.saturating_add(step);
        pause = pause.saturating_mul(2).min(longest);
    }
}

/// One look at who is meant, with a signal for each; returns who lived then, and whether there is nobody
/// whom no look has met, as far as the kernel can say.
fn round(whom: &Whom, told: &HashSet<Process>, harsh: bool) -> io::Result<(Named, bool)> {
    let signal = |handle: &Handle| {
        if harsh {
            handle.signal(Signal::KILL)
        } else if told.contains(&handle.process()) {
            Ok(())
        } else {
            [Signal::TERM, Signal::HUP, Signal::CONT]
                .into_iter()
                .try_for_each(|signal| handle.signal(signal))
        }
    };
    let alive = whom.meet(signal);
    if harsh && let Whom::In(tree, group) = whom {
        // All at once where the kernel can, so that nobody gets to start another. Where it cannot,
        // one by one does it too, look by look.
        drop(tree.kill(group));
    }
    let alive = alive?;
    let Whom::In(tree, group) = whom else { return Ok((alive, true)) };
    if !alive.is_empty() {
        return Ok((alive, true));
    }
    tree.tidy(group);
    // A look meets nobody of those who start others faster than they can be looked at: the kernel says
    // whether anybody is there. Who came into a group of threads after the look may be at home by now;
    // from here on nobody comes.
    let is_empty = tree.is_shut(group) && !tree.is_populated(group)?;
    Ok((whom.meet(signal)?, is_empty))
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
            let found = Whom::Under([process].into()).find().unwrap();
            if found.iter().any(|(called, pid)| called == name && *pid != process.pid) {
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
        let ended = end(Whom::Under([process].into()), LONG).await.unwrap();
        child.wait().unwrap();
        assert_eq!((ended.all.len(), ended.killed), (2, 0), "{ended:?}");
    }

    #[tokio::test]
    async fn who_is_not_is_killed_after_the_grace() {
        let (mut child, process) = spawn("trap '' TERM HUP; sleep 62 & sleep 62; sleep 62");
        child_of(process, "sleep").await;
        let ended = end(Whom::Under([process].into()), Duration::from_millis(50)).await.unwrap();
        child.wait().unwrap();
        assert!(ended.killed > 0, "{ended:?}");
    }

    #[tokio::test]
    async fn who_is_left_behind_by_a_polite_one_is_followed() {
        let (mut child, process) = spawn("sh -c 'trap \"\" TERM HUP; sleep 66; sleep 66' & wait");
        child_of(process, "sleep").await;
        let waiting = std::thread::spawn(move || child.wait());
        let grace = Duration::from_millis(300);
        let ended = end(Whom::Under([process].into()), grace).await.unwrap();
        waiting.join().unwrap().unwrap();
        assert!(ended.killed > 0, "{ended:?}");
    }

    #[test]
    fn a_home_is_looked_at_with_the_group_that_its_people_come_from() {
        let Some(tree) = Tree::of_host() else { return };
        let group = |path: &str| Group::parse(path).unwrap();
        let threads = group("/user.slice/user-7.slice/session-3.scope/stint-g4t9-1.scope");
        let other = group("/user.slice/user-7.slice/stint-g4t9-2.scope");
        let all = [threads.home().unwrap(), other.clone(), threads.clone()].into();
        let mut found: Vec<Group> = Whom::in_groups(&tree, &all)
            .into_iter()
            .filter_map(|whom| match whom {
                Whom::In(_, group) => Some(group),
                _ => None,
            })
            .collect();
        found.sort();
        assert_eq!(found, [threads, other]);
    }

    #[tokio::test]
    async fn this_process_and_those_it_stems_from_are_never_met() {
        let own = process::own_line().unwrap();
        let all = Whom::Under(own.iter().copied().collect());
        assert!(all.holds_this_process().unwrap());
        let found = all.find().unwrap();
        assert!(own.iter().all(|one| found.iter().all(|(_, pid)| *pid != one.pid)));
    }

    #[tokio::test]
    async fn a_stopped_process_is_woken_to_end() {
        let (mut child, process) = spawn("kill -STOP $$; sleep 63");
        let ended = end(Whom::Under([process].into()), LONG).await.unwrap();
        child.wait().unwrap();
        assert_eq!((ended.all.len(), ended.killed), (1, 0), "{ended:?}");
    }

    #[tokio::test]
    async fn nobody_else_is_touched() {
        let (mut child, process) = spawn("sleep 64");
        let other = Process { started: process.started + 1, ..process };
        let nobody = end(Whom::Under([other].into()), LONG).await.unwrap();
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
        let found = |whom: &Whom| whom.find().unwrap().iter().any(|(_, pid)| *pid == process.pid);
        assert!(found(&with(HashSet::new())));
        assert!(!found(&with([process].into())));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
