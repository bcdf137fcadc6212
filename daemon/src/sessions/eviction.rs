//! Carrying an eviction out on those who were found, and what is said of it. Who is meant is for the
//! caller to find, and when it is tried again.

use std::io;
use std::time::Duration;

use stint_proto::{Event, Timestamp};
use tokio::task::JoinSet;

use super::evict::{Ended, Left, Whom, end};
use super::names::{names, processes};
use crate::record::Entry;
use crate::store::{Eviction, EvictionOf};

/// What an eviction came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    ended: Ended,
    left: Vec<(String, i32)>,
}

/// Ends all of these, or finds them, where the role lets them go on. What is `called_off` meanwhile
/// ends nobody more. Whoever cannot be ended keeps nobody else from it: with why it has to be tried
/// again, in words, if it has to.
pub async fn end_all(
    eviction: &Eviction,
    whom: Vec<Whom>,
    called_off: impl Future<Output = ()>,
) -> (Outcome, Option<String>) {
    let mut outcome = Outcome::default();
    let mut stubborn = Vec::new();
    let mut unsure: Option<io::Error> = None;
    let mut ending = JoinSet::new();
    for whom in whom {
        // The removal of the package may run inside what it ends: it is not to be cut off.
        let leave = if eviction.leave { Ok(true) } else { whom.holds_this_process() };
        let found = match leave {
            Ok(true) => {
                let work = tokio::task::spawn_blocking(move || whom.find());
                work.await.map_err(io::Error::other).and_then(|found| found)
            }
            Ok(false) => {
                ending.spawn(end(whom, Duration::from_secs(eviction.grace.seconds())));
                continue;
            }
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => outcome.left.extend(found),
            Err(error) => {
                unsure.get_or_insert(error);
            }
        }
    }
    let mut called_off = std::pin::pin!(called_off);
    loop {
        let done = tokio::select! {
            done = ending.join_next() => done,
            // Who has the group again keeps what they start now; what is left of before ends with
            // that.
            () = &mut called_off => {
                ending.shutdown().await;
                None
            }
        };
        let Some(done) = done else { break };
        let (Ended { all, killed }, left) = done.unwrap_or_else(|error| {
            (Ended::default(), Some(Left::Unknown(io::Error::other(error))))
        });
        outcome.ended.all.extend(all);
        outcome.ended.killed += killed;
        match left {
            None => {}
            Some(Left::Stubborn(left)) => stubborn.extend(left),
            Some(Left::Unknown(error)) => {
                unsure.get_or_insert(error);
            }
        }
    }
    let mut troubles = Vec::new();
    if !stubborn.is_empty() {
        let (what, who) = (what(eviction), names(&stubborn));
        troubles.push(format!("{what} still has processes that SIGKILL does not end: {who}"));
    }
    troubles.extend(unsure.map(|error| unknown(eviction, &error)));
    if troubles.is_empty() {
        return (outcome, None);
    }
    // They are found again at the next try, and told of once.
    outcome.left.clear();
    (outcome, Some(troubles.join("; ")))
}

impl Outcome {
    /// The events of it.
    #[must_use]
    pub fn entries(&self, eviction: &Eviction, at: Timestamp) -> Vec<Entry> {
        let what = what(eviction);
        let Self { ended: Ended { all, killed }, left } = self;
        let mut entries = Vec::new();
        if !all.is_empty() {
            let by_force = match killed {
                0 => String::new(),
                killed => format!(", {killed} of them by SIGKILL"),
            };
            let count = processes(all.len());
            let text =
                format!("{what} is over, and {count} ended with it{by_force}: {}", names(all));
            entries.push(about(Event::SessionTerminated, eviction, at, text));
        }
        if !left.is_empty() {
            let count = processes(left.len());
            let text = format!("{what} is over, and by its role {count} went on: {}", names(left));
            entries.push(about(Event::SessionLeft, eviction, at, text));
        }
        entries
    }
}

fn about(event: Event, eviction: &Eviction, at: Timestamp, text: String) -> Entry {
    let mut entry = Entry::new(at, event, text);
    entry.user = Some(eviction.user.to_string());
    match &eviction.of {
        EvictionOf::Sessions { grant, role, uid } => {
            entry.uid = Some(*uid);
            entry.grant = Some(grant.clone());
            entry.role = Some(role.clone());
        }
        EvictionOf::Group { group, uid } => {
            entry.group = Some(group.clone());
            entry.uid = *uid;
        }
    }
    entry
}

fn what(eviction: &Eviction) -> String {
    let user = &eviction.user;
    match &eviction.of {
        EvictionOf::Sessions { grant, role, .. } => format!("{role} for {user} ({grant})"),
        EvictionOf::Group { group, .. } => format!("{user}'s membership in {group}"),
    }
}

/// That the kernel does not say who is meant.
#[must_use]
pub fn unknown(eviction: &Eviction, error: &io::Error) -> String {
    format!("{} may still have processes: {error}", what(eviction))
}
