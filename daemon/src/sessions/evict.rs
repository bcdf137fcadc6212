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

/// A process that was looked at.
enum Held {
    /// It is meant.
    Meant(Handle),
    /// It is not.
    Other,
    /// It ended before that could be told.
    Gone,
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

/// Why it is to be tried again.
#[derive(Debug)]
pub enum Left {
    /// These outlive SIGKILL, which the kernel delivers when it can.
    Stubborn(Vec<(String, i32)>),
    /// The kernel does not say who is left, or does not let all of them be ended.
    Unknown(io::Error),
}

impl Whom {
    /// Those in these groups. A [`Group::home`] is looked at with the group that its people come
    /// from, and after that.
    #[must_use]
    pub fn in_groups(tree: &Tree, groups: &HashSet<Group>) -> Vec<Self> {
        let homes: HashSet<Group> = groups.iter().filter_map(Group::home).collect();
        let apart = groups.difference(&homes);
        apart.map(|group| Self::In(tree.clone(), group.clone())).collect()
    }

    /// The group that is meant, where it is one.
    #[must_use]
    pub fn group(&self) -> Option<&Group> {
        match self {
            Self::In(_, group) => Some(group),
            Self::Under(_) | Self::With { .. } => None,
        }
    }

    /// Who is meant, now, by name and number. Ends nobody.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn find(&self) -> io::Result<Vec<(String, i32)>> {
        let (met, done) = self.meet(false, |_| Ok(()));
        done.map(|()| listed(met))
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
    /// fails with one does not keep the others from being met: says who was, and what failed first.
    /// `again` has it go on at once with those whom they have started meanwhile, where they may be
    /// anywhere.
    fn meet(
        &self,
        again: bool,
        mut each: impl FnMut(&Handle) -> io::Result<()>,
    ) -> (Named, io::Result<()>) {
        let mut met = Named::new();
        let own = match process::own_line() {
            Ok(own) => own,
            Err(error) => return (met, Err(error)),
        };
        let mut failed = None;
        let mut look = |pid| {
            let done = self.hold(pid, &own).and_then(|held| match held {
                Held::Other => Ok(true),
                // Where somebody is met there will be another look anyway.
                Held::Gone => Ok(!again && !met.is_empty()),
                Held::Meant(handle) => {
                    met.insert(handle.process(), handle.name().to_owned());
                    each(&handle).map(|()| !again)
                }
            });
            done.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                true
            })
        };
        let looked = match self.candidates() {
            None => process::visit(|pid| Ok(look(pid))),
            Some(Ok(pids)) => {
                pids.into_iter().for_each(|pid| _ = look(pid));
                Ok(())
            }
            Some(Err(error)) => Err(error),
        };
        (met, failed.map_or(looked, Err))
    }

    /// Who may be meant, at a cheap look; `None` where that is everybody.
    fn candidates(&self) -> Option<io::Result<Vec<i32>>> {
        match self {
            Self::In(tree, group) => Some(tree.processes(group)),
            Self::With { .. } => None,
            Self::Under(roots) => Some(under(roots)),
        }
    }

    /// Takes hold of this process, if it is meant. Never of this one or of those it stems from,
    /// nor of the one that takes care of all that is left behind.
    fn hold(&self, pid: i32, own: &[Process]) -> io::Result<Held> {
        if pid <= 1 || own.iter().any(|one| one.pid == pid) {
            return Ok(Held::Other);
        }
        if let Self::With { .. } = self {
            match process::rights(pid) {
                Ok(rights) if self.fits(&rights) => {}
                Ok(_) => return Ok(Held::Other),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Held::Gone),
                Err(error) => return Err(error),
            }
        }
        let Some(handle) = Handle::open(pid)? else { return Ok(Held::Gone) };
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
        Ok(if is_meant { Held::Meant(handle) } else { Held::Other })
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

/// These, and all whose line leads to them.
fn under(roots: &BTreeSet<Process>) -> io::Result<Vec<i32>> {
    let all = process::parents()?;
    let parents: HashMap<i32, i32> = all.iter().map(|(one, parent)| (one.pid, *parent)).collect();
    let living: HashSet<i32> =
        all.iter().filter_map(|(one, _)| roots.contains(one).then_some(one.pid)).collect();
    let is_under = |pid: i32| {
        let line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        line.take(parents.len() + 1).any(|pid| living.contains(&pid))
    };
    Ok(all.iter().map(|(one, _)| one.pid).filter(|pid| is_under(*pid)).collect())
}

fn listed(named: Named) -> Vec<(String, i32)> {
    let mut all: Vec<_> = named.into_iter().map(|(one, name)| (name, one.pid)).collect();
    all.sort_by_key(|(_, pid)| *pid);
    all
}

/// Ends all who are meant: SIGTERM, SIGHUP and SIGCONT first; those who are left after `grace` get
/// SIGKILL. Returns when none is left, or with why it cannot be said that none is. What fails at one
/// look is done at a later one: the end of all of them at once needs no look.
pub async fn end(mut whom: Whom, grace: Duration) -> (Ended, Option<Left>) {
    let (mut pause, longest) = PAUSES;
    let mut waited = Duration::ZERO;
    let mut seen = Named::new();
    let mut killed: HashSet<Process> = HashSet::new();
    loop {
        let harsh = waited >= grace;
        let told: HashSet<Process> = seen.keys().copied().collect();
        let looking = whom.clone();
        let work = tokio::task::spawn_blocking(move || round(&looking, &told, harsh));
        let (alive, is_empty) =
            work.await.unwrap_or_else(|error| (Named::new(), Err(io::Error::other(error))));
        if alive.is_empty() && matches!(is_empty, Ok(true)) {
            return (Ended { all: listed(seen), killed: killed.len() }, None);
        }
        if harsh {
            killed.extend(alive.keys());
        }
        if waited >= grace.saturating_add(STUBBORN) {
            seen.retain(|one, _| !alive.contains_key(one));
            killed.retain(|one| seen.contains_key(one));
            let unseen =
                || io::Error::other("somebody is in its control group who cannot be found");
            let left = match is_empty {
                Err(error) => Left::Unknown(error),
                Ok(_) if alive.is_empty() => Left::Unknown(unseen()),
                Ok(_) => Left::Stubborn(listed(alive)),
            };
            return (Ended { all: listed(seen), killed: killed.len() }, Some(left));
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
fn round(whom: &Whom, told: &HashSet<Process>, harsh: bool) -> (Named, io::Result<bool>) {
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
    let (alive, met) = whom.meet(harsh, signal);
    let Whom::In(tree, group) = whom else { return (alive, met.map(|()| true)) };
    if harsh {
        // All at once where the kernel can, so that nobody gets to start another. Where it cannot,
        // one by one does it too, look by look.
        drop(tree.kill(group));
    }
    if !alive.is_empty() || met.is_err() {
        return (alive, met.map(|()| true));
    }
    tree.tidy(group);
    // A look meets nobody of those who start others faster than they can be looked at: the kernel says
    // whether anybody is there. Who came into a group of threads after the look may be at home by now;
    // from here on nobody comes.
    let is_shut = tree.is_shut(group);
    let is_populated = tree.is_populated(group);
    let (late, met) = whom.meet(harsh, signal);
    (late, met.and(is_populated).map(|is_populated| is_shut && !is_populated))
}

#[cfg(test)]
mod tests;
