//! The groups that stint made for sessions, until each is gone or systemd's: looked at a while after
//! they were made or their session began, all by one task, which sleeps while there are none. Short sessions are over
//! by then, and systemd never hears of them.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use stint_proto::GrantId;
use tokio::sync::mpsc;

use super::Engine;
use crate::domain::control_group::Group;
use crate::sessions::settle;

/// How long a session lives before systemd is asked to take it on.
const SOON: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(300);

/// A group that was made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    group: Group,
    description: String,
    pause: Duration,
}

/// What tasks of the engine are told once answers are sent: their waking is not for those who wait
/// for them.
#[derive(Debug, Default)]
pub(super) struct PutOff {
    made: Vec<Made>,
    rearm: bool,
}

/// The way of what was made to the task that sees to it.
pub(super) type Making = mpsc::UnboundedSender<Made>;

/// What was made, by when it is looked at next, in microseconds of the boot clock.
#[derive(Debug, Default)]
struct Waiting {
    by_group: HashMap<Group, (i64, Made)>,
    by_due: BTreeSet<(i64, Group)>,
}

impl Waiting {
    /// Has a group looked at in its pause from now, or when it is to be looked at anyway, whichever is
    /// sooner; and as soon after that as the shorter of both pauses has it.
    fn add(&mut self, now: i64, mut made: Made) {
        let pause = i64::try_from(made.pause.as_micros()).unwrap_or(i64::MAX);
        let mut due = now.saturating_add(pause);
        if let Some((known, before)) = self.by_group.remove(&made.group) {
            self.by_due.remove(&(known, made.group.clone()));
            due = due.min(known);
            made = Made { pause: before.pause.min(made.pause), ..before };
        }
        self.by_due.insert((due, made.group.clone()));
        self.by_group.insert(made.group.clone(), (due, made));
    }

    /// When the next one is due.
    fn next(&self) -> Option<i64> {
        self.by_due.first().map(|(due, _)| *due)
    }

    /// Takes out one that is due by now.
    fn take_due(&mut self, now: i64) -> Option<Made> {
        let (_, group) = self.by_due.first().filter(|(due, _)| *due <= now)?.clone();
        self.by_due.pop_first();
        self.by_group.remove(&group).map(|(_, made)| made)
    }
}

impl Engine {
    /// Has a group that stint made seen to, in a while from when answers are handed over; nobody
    /// waits for it.
    pub(super) fn settle_later(&self, group: Group, description: String) {
        self.put_off().made.push(Made { group, description, pause: SOON });
    }

    /// Has the groups of stint's among these seen to soon, whatever pause they have come to by now: an
    /// eviction has just been there.
    pub(super) fn settle_evicted(&self, groups: Vec<Group>) {
        for group in groups {
            let grants = group.grants();
            if !grants.is_empty() {
                self.settle_later(group, under(&grants));
            }
        }
        self.hand_over();
    }

    /// Has what is due next looked at anew, once answers are handed over.
    pub(super) fn rearm_later(&self) {
        self.put_off().rearm = true;
    }

    fn put_off(&self) -> MutexGuard<'_, PutOff> {
        self.put_off.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over what answers to the module have put off, now that they are sent: to the state, and
    /// to the tasks of the engine.
    pub fn hand_over(&self) {
        self.store.hand_over();
        let PutOff { made, rearm } = std::mem::take(&mut *self.put_off());
        for made in made {
            // The receiver lives as long as the engine does.
            self.making.send(made).ok();
        }
        if rearm {
            self.rearm.notify_one();
        }
    }

    /// Sees to the groups that were made, those of before the start too, for as long as the daemon
    /// runs. To be called once.
    pub async fn serve_settling(self: Arc<Self>) -> Infallible {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut made) = made else { return std::future::pending().await };
        self.settle_all_later().await;
        let mut waiting = Waiting::default();
        loop {
            let left =
                waiting.next().map(|due| due.saturating_sub(self.now().boot).max(0).unsigned_abs());
            let until = async {
                match left {
                    Some(left) => tokio::time::sleep(Duration::from_micros(left)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(one) = made.recv() => waiting.add(self.now().boot, one),
                () = until => self.settle_due(&mut waiting),
            }
        }
    }

    /// Starts on what is due. Each by itself: systemd may hang, and what is to be removed waits for
    /// nobody.
    fn settle_due(self: &Arc<Self>, waiting: &mut Waiting) {
        let now = self.now().boot;
        while let Some(one) = waiting.take_due(now) {
            let engine = Arc::clone(self);
            drop(tokio::spawn(async move { engine.try_to_settle(one).await }));
        }
    }

    async fn try_to_settle(&self, made: Made) {
        let Some(tree) = &self.tree else { return };
        let Made { group, description, pause } = made;
        if !self.shut_entrance(&group) {
            self.making.send(Made { group, description, pause }).ok();
            return;
        }
        self.place_who_stayed_outside(&group).await;
        // What that has noted, no answer hands over.
        self.hand_over();
        // Why it is not done yet is of no use to anybody: the group is found either way.
        if settle(tree, self.bus().as_ref(), &group, &description).await.is_err() {
            let pause = pause.saturating_mul(2).min(LONGEST);
            self.making.send(Made { group, description, pause }).ok();
        }
    }

    /// Has nobody told any more to enter this group. `false` where somebody has just been told to, less
    /// than [`SOON`] ago, and may be about to. A wall clock that is set back counts as time that has
    /// passed.
    fn shut_entrance(&self, group: &Group) -> bool {
        let now = self.now().wall;
        let soon = i64::try_from(SOON.as_micros()).unwrap_or(i64::MAX);
        let mut state = self.state();
        let mut of_it = state.sessions.values().filter(|open| open.group.as_ref() == Some(group));
        if of_it.any(|open| (0..soon).contains(&now.micros_since(open.opened_at))) {
            return false;
        }
        state.entrances.forget(group);
        true
    }

    /// Takes up what a stintd before this one has left.
    async fn settle_all_later(&self) {
        let Some(tree) = &self.tree else { return };
        match tree.work(|tree| tree.of_stint()).await {
            Ok(found) => {
                for (group, grants) in found {
                    self.settle_later(group, under(&grants));
                }
                self.hand_over();
            }
            Err(error) => eprintln!("stintd: the control groups of sessions: {error}"),
        }
    }

    /// Removes what is empty and stint's own, for the removal of the package.
    pub(super) async fn tidy_groups(&self) {
        let Some(tree) = &self.tree else { return };
        let tidied = tree.work(|tree| {
            tree.of_stint()?.iter().for_each(|(group, _)| tree.tidy(group));
            Ok(())
        });
        if let Err(error) = tidied.await {
            eprintln!("stintd: the control groups of sessions: {error}");
        }
    }
}

/// What is known of a session by the name of its group alone.
fn under(grants: &[GrantId]) -> String {
    let grants: Vec<&str> = grants.iter().map(GrantId::as_str).collect();
    format!("a session under {}", grants.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn made(number: u32, pause: u64, description: &str) -> Made {
        let group = format!("/user.slice/user-7.slice/stint-g4t9-{number}.scope");
        Made {
            group: Group::parse(&group).unwrap(),
            description: description.to_owned(),
            pause: Duration::from_secs(pause),
        }
    }

    #[test]
    fn who_is_due_is_taken_in_turn_and_once() {
        let mut waiting = Waiting::default();
        assert_eq!((waiting.next(), waiting.take_due(i64::MAX).is_none()), (None, true));
        for (number, pause) in [(1, 4), (2, 1), (3, 2)] {
            waiting.add(0, made(number, pause, "a"));
        }
        assert_eq!(waiting.next(), Some(SECOND));
        assert!(waiting.take_due(SECOND - 1).is_none());
        let taken: Vec<Made> = std::iter::from_fn(|| waiting.take_due(3 * SECOND)).collect();
        assert_eq!(taken.iter().map(|made| made.pause.as_secs()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(waiting.next(), Some(4 * SECOND));
    }

    #[test]
    fn a_word_of_one_that_waits_long_has_it_looked_at_soon_and_not_the_other_way() {
        let mut waiting = Waiting::default();
        waiting.add(0, made(1, 300, "alice's"));
        waiting.add(SECOND, made(1, 1, "somebody's"));
        assert_eq!(waiting.next(), Some(2 * SECOND));
        waiting.add(SECOND, made(1, 300, "alice's"));
        let taken = waiting.take_due(2 * SECOND).unwrap();
        assert_eq!((taken.pause.as_secs(), taken.description.as_str()), (1, "alice's"));
        assert!(waiting.next().is_none() && waiting.take_due(i64::MAX).is_none());
    }
}
