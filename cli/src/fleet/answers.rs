//! What hosts say came of a document: waited for, for a while. A host that is away says it when it
//! comes back, and is named.

use std::collections::BTreeMap;
use std::time::Duration;

use stint_proto::ExitStatus;

use super::Fleet;
use super::hosts::{Hosts, VALUE_LIMIT};
use super::publish::Parcel;
use super::read::{Answer, Outcome};
use super::store::{Event, Store};
use crate::clock;
use crate::failure::Failure;
use crate::out::Progress;

/// How long one look for news takes at most.
const TICK: Duration = Duration::from_millis(250);

/// How long is waited for another word on a document that was published before.
const ONCE_MORE: Duration = Duration::from_secs(3);

/// What is known of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has said.
    Answer(Answer),
    /// It is there and has not said yet.
    Nothing,
    /// It is away.
    Away,
}

/// What is known of each host that is meant.
pub type Answers = BTreeMap<String, Heard>;

/// What each of these hosts has said of a document by now.
pub fn so_far(hosts: &Hosts, meant: &[String], digest: &str) -> Answers {
    let heard = |name: &String| {
        let host = hosts.get(name);
        let heard = match host.and_then(|host| host.answers.get(digest)) {
            Some(answer) => Heard::Answer(answer.clone()),
            None if host.is_some_and(|host| host.alive) => Heard::Nothing,
            None => Heard::Away,
        };
        (name.clone(), heard)
    };
    meant.iter().map(heard).collect()
}

/// Takes what the store tells until `done` says that nothing more is waited for, or this time is
/// over.
///
/// # Errors
/// When nothing can be heard any more.
pub fn follow<S: Store>(
    fleet: &mut Fleet<S>,
    limit: Duration,
    mut done: impl FnMut(&Hosts) -> bool,
) -> Result<(), Failure> {
    let Fleet { store, hosts, prefix } = fleet;
    let limit = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX);
    let end = clock::boot().saturating_add(limit);
    while !done(hosts) && clock::boot() < end {
        match store.next(TICK)? {
            // The watch goes on from what is told now.
            Some(Event::Anew) => *hosts = Hosts::of(store.get(prefix, VALUE_LIMIT)?.1),
            Some(event) => drop(hosts.apply(event)),
            None => {}
        }
    }
    Ok(())
}

/// Publishes a document, and waits until every host that is there has said something of it, with a line
/// on how it goes. What a host has said of the very same document before counts only where it says nothing
/// else now: it may have been told since who may sign.
///
/// # Errors
/// When it is not published, or nothing can be heard any more.
pub fn publish<S: Store>(
    fleet: &mut Fleet<S>,
    parcel: &Parcel,
    meant: &[String],
    limit: Duration,
) -> Result<Answers, Failure> {
    let before = fleet.hosts.take_answers(&parcel.digest);
    parcel.publish(&mut fleet.store)?;
    let mut progress = Progress::new();
    let mut all_said = |hosts: &Hosts| {
        let answers = so_far(hosts, meant, &parcel.digest);
        let open = answers.values().filter(|heard| **heard == Heard::Nothing).count();
        let said = meant.len().saturating_sub(open);
        match meant {
            _ if open == 0 => {}
            [only] => progress.show(&format!("Published. Waiting for {only}."), ""),
            _ => progress.show(
                "Published. Waiting for the hosts' answers.",
                &format!("({said} of {})", meant.len()),
            ),
        }
        open == 0
    };
    if !before.is_empty() {
        follow(fleet, limit.min(ONCE_MORE), &mut all_said)?;
        fleet.hosts.put_back(&parcel.digest, before);
    }
    follow(fleet, limit, &mut all_said)?;
    Ok(so_far(&fleet.hosts, meant, &parcel.digest))
}

/// The exit status that this comes to: done everywhere, refused somewhere, or not yet everywhere.
pub fn status(answers: &Answers) -> ExitStatus {
    let any = |wanted: fn(&Heard) -> bool| answers.values().any(wanted);
    if any(|heard| matches!(heard, Heard::Answer(Answer { outcome: Outcome::Refused, .. }))) {
        ExitStatus::Refused
    } else if any(|heard| !is_done(heard)) {
        ExitStatus::Pending
    } else {
        ExitStatus::Done
    }
}

/// Whether it counts there.
pub fn is_done(heard: &Heard) -> bool {
    matches!(heard, Heard::Answer(Answer { outcome: Outcome::Taken | Outcome::Known, .. }))
}
