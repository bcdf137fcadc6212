//! What the store of the fleet says, as soon as something has changed: a thread of its own that watches
//! it, and begins anew when it cannot. A request that is not what it claims is not on the board.

use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use super::model::{Of, Snapshot};
use super::update::Input;
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::fleet::approve::is_as_claimed;
use crate::fleet::hosts::{Hosts, VALUE_LIMIT};
use crate::fleet::store::{Event, Store};
use crate::look::count;
use crate::look::fleet::unusable;

/// How long a look for news takes at most; a flood of changes is shown once in so long.
const BREATH: Duration = Duration::from_millis(200);
/// The most changes that are taken before they are shown.
const AT_ONCE: usize = 10_000;
/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(3);

/// Sends news until nobody takes it any more, or the other end of `stop` is gone.
pub fn run<S: Store>(
    mut store: impl FnMut() -> Result<S, Failure>,
    news: &Sender<Input>,
    stop: &Receiver<()>,
) {
    loop {
        let ended = store().and_then(|store| follow(store, news, stop));
        let Err(failure) = ended else { return };
        if news.send(Input::Away(failure.message)).is_err() {
            return;
        }
        if !matches!(stop.recv_timeout(AGAIN), Err(std::sync::mpsc::RecvTimeoutError::Timeout)) {
            return;
        }
    }
}

/// Until the board is left.
fn follow<S: Store>(store: S, news: &Sender<Input>, stop: &Receiver<()>) -> Result<(), Failure> {
    let mut fleet = Fleet::whole(store)?;
    fleet.watch()?;
    let (mut changed, mut lost) = (true, false);
    while stop.try_recv() == Err(TryRecvError::Empty) {
        if changed && !lost && news.send(Input::News(snapshot(&fleet.hosts))).is_err() {
            return Ok(());
        }
        changed = false;
        let mut within = BREATH;
        for _ in 0..AT_ONCE {
            let Some(event) = fleet.store.next(within)? else { break };
            within = Duration::ZERO;
            match event {
                Event::Anew => {
                    let (_, entries) = fleet.store.get(&fleet.prefix, VALUE_LIMIT)?;
                    fleet.hosts = Hosts::of(entries);
                }
                Event::Lost(why) => {
                    lost = true;
                    if news.send(Input::Away(format!("the store: {why}"))).is_err() {
                        return Ok(());
                    }
                }
                Event::Found => lost = false,
                event @ (Event::Put(_) | Event::Deleted(_)) => drop(fleet.hosts.apply(event)),
            }
            changed = true;
        }
    }
    Ok(())
}

/// What can be decided on and what is held, and what has to be known of the rest.
fn snapshot(hosts: &Hosts) -> Snapshot {
    let (mut requests, mut grants, mut bent) = (Vec::new(), Vec::new(), 0_usize);
    for (name, host) in hosts.known() {
        let of = || Some(name.to_owned());
        for it in host.requests.values() {
            if is_as_claimed(it) {
                requests.push(Of { host: of(), it: it.clone() });
            } else {
                bent += 1;
            }
        }
        grants.extend(host.grants.values().cloned().map(|it| Of { host: of(), it }));
    }
    let away = hosts.away();
    let away = (!away.is_empty()).then(|| format!("Away: {}", away.join(", ")));
    let bent = (bent > 0).then(|| {
        let requests = count(bent, "request is", "requests are");
        format!("{requests} not what the store claims: stint pending --fleet")
    });
    let notes = [bent, unusable(hosts), away];
    Snapshot { requests, grants, note: notes.into_iter().flatten().collect::<Vec<_>>().join(". ") }
}
