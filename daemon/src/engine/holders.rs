//! What becomes of the accounts of those who hold or ask for something: one that is gone, renamed, or
//! whose number is another's holds nothing any more.
//!
//! Only a definite answer ends anything. An account that is in /etc/passwd is judged by that file
//! alone. One that is not comes from a database on the network, which may know nobody for a while: it
//! is asked at most once a minute, has to say the same twice, and that it knows nobody counts only
//! where it knows somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use stint_proto::{Event, GrantId, GroupName, RequestId, Uid, UserName};

use super::Engine;
use super::end::Ending;
use crate::accounts;
use crate::domain::grant::Grant;
use crate::passwd::{Became, Passwd};
use crate::record::Entry;
use crate::store::{Backend, LocalAccount, Membership, Write};

/// How long the account database may take over all of them.
const LIMIT: Duration = Duration::from_secs(20);
/// The shortest time between two questions to a database on the network, in microseconds.
const ROUND: i64 = 60_000_000;

/// Somebody who holds or asks for something.
type Holder = (UserName, Uid);

/// An account that is not what it was.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    holder: Holder,
    why: String,
    renamed: Option<UserName>,
}

/// What was found of the holders.
#[derive(Default)]
struct Found {
    local: BTreeMap<Holder, BTreeSet<String>>,
    changed: Vec<Changed>,
    /// What a database on the network says against whom.
    doubted: BTreeMap<Holder, String>,
}

impl Engine {
    /// The holders whose accounts have changed. Changes no grant.
    pub(super) async fn changed_accounts(&self) -> Vec<Changed> {
        let now = self.now().boot;
        let (holders, known, ask) = {
            let state = self.state();
            let held = state.index.iter().map(|grant| (grant.user.clone(), grant.uid));
            let asked = state.pending.iter().map(|request| (request.user.clone(), request.uid));
            let holders: BTreeSet<Holder> = held.chain(asked).collect();
            let ask = state.drift.asked_at.is_none_or(|at| now.saturating_sub(at) >= ROUND);
            (holders, state.drift.local.clone(), ask)
        };
        if holders.is_empty() && known.is_empty() {
            return Vec::new();
        }
        let look = move || look(&holders, &known, ask);
        let Some(Some(found)) = self.evicting.ask(LIMIT, look).await else { return Vec::new() };
        self.remember_local(found.local);
        let mut changed = found.changed;
        if ask {
            let mut state = self.state();
            state.drift.asked_at = Some(now);
            let before = std::mem::replace(&mut state.drift.doubted, found.doubted);
            let twice =
                state.drift.doubted.iter().filter(|(holder, why)| {
                    before.get(holder).is_some_and(|before| before == *why)
                });
            changed.extend(twice.map(|(holder, why)| Changed {
                holder: holder.clone(),
                why: why.clone(),
                renamed: None,
            }));
        }
        changed
    }

    /// Nobody holds or asks for anything: what was known of accounts is known no longer.
    pub(super) fn forget_accounts(&self) {
        self.state().drift.doubted.clear();
        self.remember_local(BTreeMap::new());
    }

    fn remember_local(&self, local: BTreeMap<Holder, BTreeSet<String>>) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.drift.local, local);
        let new = state.drift.local.iter().filter(|(holder, _)| !before.contains_key(holder));
        let new = new.map(|((user, uid), others)| {
            let (user, uid, others) = (user.clone(), *uid, others.clone());
            Write::Local(LocalAccount { user, uid, others })
        });
        let gone = before.keys().filter(|holder| !state.drift.local.contains_key(holder));
        let gone = gone.map(|(user, uid)| Write::LocalForgotten(user.clone(), *uid));
        let writes: Vec<Write> = new.chain(gone).collect();
        drop(state);
        writes.into_iter().for_each(|write| self.store.note(write));
    }

    /// Those of the accounts in /etc/passwd that are no longer there as they were.
    pub(super) async fn moved_accounts(&self) -> BTreeSet<UserName> {
        let known = self.state().drift.local.clone();
        let look = move || {
            let passwd = Passwd::read(Path::new(FOLDER))?;
            let moved = known.into_iter().filter(|((user, uid), others)| {
                !matches!(passwd.became(user, *uid, Some(others)), Became::Same(_))
            });
            Some(moved.map(|((user, _), _)| user).collect())
        };
        self.evicting.ask(LIMIT, look).await.flatten().unwrap_or_default()
    }

    /// Ends what these hold, and lets what they ask for lapse. The caller holds `changes`.
    pub(super) async fn end_for_accounts(&self, changed: Vec<Changed>) -> Vec<Grant> {
        let mut ended = Vec::new();
        for Changed { holder: (user, uid), why, renamed } in changed {
            let (grants, requests) = {
                let state = self.state();
                let held = state.index.of_uid(uid).filter(|grant| grant.user == user);
                let grants: Vec<GrantId> = held.map(|grant| grant.id.clone()).collect();
                let asked = state.pending.iter().filter(|own| own.user == user && own.uid == uid);
                let requests: Vec<RequestId> = asked.map(|own| own.id.clone()).collect();
                (grants, requests)
            };
            if grants.is_empty() && requests.is_empty() {
                continue;
            }
            let text = format!("{why}; what {user} held or asked for is over");
            let entry = Entry::new(self.now().wall, Event::AccountChanged, text);
            self.record.note(entry.about(&user, uid));
            if let Some(new) = renamed {
                self.follow_renamed(&user, &new, uid).await;
            }
            ended.extend(self.end(grants, &Ending::policy(&why)).await);
            self.lapse(&requests, &why).await;
        }
        ended
    }

    /// usermod renames members of groups along with the account. What stint gave under the old name
    /// is stint's to take back under the new one.
    async fn follow_renamed(&self, old: &UserName, new: &UserName, uid: Uid) {
        let given: BTreeSet<GroupName> = {
            let state = self.state();
            let own = |own: &&Membership| own.user == *old && own.backend == Backend::Files;
            state.owned.iter().filter(own).map(|own| own.group.clone()).collect()
        };
        let mechanisms = std::sync::Arc::clone(&self.mechanisms);
        let (old, name) = (old.clone(), new.clone());
        let work = tokio::task::spawn_blocking(move || {
            let mechanisms = mechanisms.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            mechanisms.renamed(&old, &name, given)
        });
        let Ok(groups) = work.await else { return };
        let moved: Vec<Membership> = groups
            .into_iter()
            .map(|group| Membership { user: new.clone(), group, backend: Backend::Files })
            .collect();
        self.store_or_keep(moved.iter().cloned().map(Write::Owned).collect()).await;
        let mut state = self.state();
        state.drift.numbers.insert(new.clone(), uid);
        state.owned.extend(moved);
    }
}

/// Where passwd is.
const FOLDER: &str = "/etc";

/// Judges the holders; `None` where /etc/passwd cannot be read whole.
fn look(
    holders: &BTreeSet<Holder>,
    known: &BTreeMap<Holder, BTreeSet<String>>,
    ask: bool,
) -> Option<Found> {
    let passwd = Passwd::read(Path::new(FOLDER))?;
    let mut found = Found::default();
    let mut elsewhere = Vec::new();
    for holder in holders {
        let (user, uid) = holder;
        let before = known.get(holder);
        match passwd.became(user, *uid, before) {
            Became::Same(others) => {
                found.local.insert(holder.clone(), before.cloned().unwrap_or(others));
            }
            Became::Absent => elsewhere.push(holder),
            Became::Other { why, renamed } => {
                // It stays a local one until nothing is left of what it held.
                found.local.insert(holder.clone(), before.cloned().unwrap_or_default());
                let renamed = renamed.and_then(|name| name.parse().ok());
                found.changed.push(Changed { holder: holder.clone(), why, renamed });
            }
        }
    }
    if ask {
        found.doubted = doubts(&elsewhere);
    }
    Some(found)
}

/// What the database on the network says against these.
fn doubts(holders: &[&Holder]) -> BTreeMap<Holder, String> {
    let mut doubted = BTreeMap::new();
    let mut unknown = Vec::new();
    let mut answers = false;
    for holder @ (user, uid) in holders.iter().copied() {
        let why = match accounts::by_name(user) {
            Ok(Some(account)) => {
                answers = true;
                let is_other = account.uid != *uid;
                is_other.then(|| format!("{user} has the uid {} now, not {uid}", account.uid))
            }
            Ok(None) => match accounts::by_uid(*uid) {
                Ok(Some(account)) => {
                    answers = true;
                    Some(format!("uid {uid} is called {} now, not {user}", account.name))
                }
                Ok(None) => {
                    unknown.push(holder);
                    None
                }
                Err(_) => None,
            },
            Err(_) => None,
        };
        doubted.extend(why.map(|why| (holder.clone(), why)));
    }
    if answers {
        doubted.extend(unknown.into_iter().map(|holder @ (user, uid)| {
            (holder.clone(), format!("the account {user} (uid {uid}) is gone"))
        }));
    }
    doubted
}
