//! The list of what is given: put together from what the engine knows, and kept true. It is written
//! before anything is applied ([`super::mechanisms`]); what was taken back is struck out here, a
//! moment after, so that no end waits for it.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use stint_proto::{EndReason, GrantId};

use super::end::Ending;
use super::failure::Failure;
use super::mechanisms::unlisted;
use super::{Engine, State};
use crate::applied::{Applied, Given, Held, Owed, Spot};
use crate::clock::Moment;
use crate::domain::deadline::{Kept, Mark};
use crate::domain::grant::Grant;
use crate::domain::manner::Manner;
use crate::enforce::change::Membership as Pair;
use crate::store::{
    Backend, Conferred, Eviction, EvictionOf, Membership, Session, Withdrawn, Write,
};

/// How the list stands.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// It may say more than there is.
    pub(super) is_due: bool,
    /// Why it could not be written.
    pub(super) failed: Option<Failure>,
    /// Something is not given because it could not be listed first: the alarm stands until that
    /// has been tried again, though the list itself can be written meanwhile.
    pub(super) held_up: bool,
}

impl Engine {
    /// This moment, and of which boot it is.
    pub(super) fn here(&self, at: Moment) -> Mark {
        Mark { boot_id: self.boot_id.clone(), at }
    }

    /// Everything that is to be taken back, now or later.
    pub(super) fn applied(&self, state: &State, now: Moment) -> Applied {
        let mark = self.here(now);
        let mut applied = Applied::default();
        for grant in state.index.iter().filter(|grant| grant.holds(now)) {
            let role = state.policy.role_here(&grant.role, &self.host);
            let until = Kept { deadline: grant.deadline, boot_id: mark.boot_id.clone() };
            let held = Held {
                user: grant.user.clone(),
                uid: grant.uid,
                role: grant.role.clone(),
                until,
                manner: Manner::of(role),
            };
            applied.grants.insert(grant.id.clone(), held);
        }
        for own in &state.owned {
            let pair = (own.user.clone(), own.group.clone());
            let carried = state.carried.get(&pair).cloned().unwrap_or_default();
            applied.members.insert(own.clone(), Given { grants: BTreeSet::new(), carried });
        }
        self.confer(state, now, &mut applied);
        applied.sessions = state.sessions.values().filter_map(unnamed).collect();
        for (key, eviction) in &state.owed {
            let carried = match &eviction.of {
                EvictionOf::Group { group, .. } => {
                    let pair = (eviction.user.clone(), group.clone());
                    state.carried.get(&pair).cloned().unwrap_or_default()
                }
                EvictionOf::Sessions { .. } => Vec::new(),
            };
            applied.owed.insert(key.clone(), Owed { eviction: eviction.clone(), carried });
        }
        applied.mark = Some(mark);
        applied
    }

    /// Notes by which grants each membership is held. A grant from which somebody has taken it by
    /// hand is none of them.
    fn confer(&self, state: &State, now: Moment, applied: &mut Applied) {
        for grant in state.index.iter().filter(|grant| grant.holds(now)) {
            let Some(role) = state.policy.role_here(&grant.role, &self.host) else { continue };
            for group in &role.groups {
                if state.drift.has_taken(grant, &Conferred::Group(group.clone())) {
                    continue;
                }
                for backend in [Backend::Files, Backend::Userdb] {
                    let (user, group) = (grant.user.clone(), group.clone());
                    let member = Membership { user, group, backend };
                    if let Some(given) = applied.members.get_mut(&member) {
                        given.grants.insert(grant.id.clone());
                    }
                }
            }
        }
    }

    /// Whether this user's processes that carry this group are still to be ended.
    pub(super) fn owes_carriers(&self, (user, group): &Pair) -> bool {
        let is_it = |owed: &Eviction| {
            let of = matches!(&owed.of, EvictionOf::Group { group: owed, .. } if owed == group);
            of && owed.user == *user
        };
        self.state().owed.values().any(is_it)
    }

    /// Has the list looked at with the next turn.
    pub(super) fn relist_soon(&self) {
        self.state().listing.is_due = true;
        self.rearm.notify_one();
    }

    /// The same, for a session that its control group's name does not tell of.
    pub(super) fn relist_if_unnamed(&self, session: &Session) {
        if unnamed(session).is_some() {
            self.relist_soon();
        }
    }

    /// Has the list say what there is. The caller holds `changes`. What cannot be written is an
    /// alarm and is tried again.
    pub(super) async fn relist(&self) {
        let (applied, is_saved) = {
            let mut state = self.state();
            state.listing.is_due = false;
            (self.applied(&state, self.now()), state.unsaved.is_empty())
        };
        let mechanisms = Arc::clone(&self.mechanisms);
        let work = tokio::task::spawn_blocking(move || {
            mechanisms.lock().unwrap_or_else(PoisonError::into_inner).list(applied)
        });
        let failure = match work.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(unlisted(&error)),
            Err(error) => {
                eprintln!("stintd: the list: {error}");
                return;
            }
        };
        let is_listed = failure.is_none();
        let held_up = {
            let mut state = self.state();
            state.listing.failed.clone_from(&failure);
            state.listing.held_up
        };
        if let Some(failure) = failure {
            let text = failure.text.clone();
            self.alarm(failure, &text);
        } else if is_saved && let Err(error) = self.ended.clear() {
            eprintln!("stintd: {error}");
        }
        if is_listed && !held_up {
            self.state().alarms.over("list");
        }
    }

    /// Notes, where a full disk does not matter, that these are over by somebody's word: a daemon
    /// that is started again would find them running in a state that could not be written.
    pub(super) fn note_ended(&self, ended: &[Grant], reason: EndReason) {
        // What is over by the clock is so for every reader.
        if reason == EndReason::Expired {
            return;
        }
        let ids: Vec<_> = ended.iter().map(|grant| (grant.id.clone(), reason)).collect();
        if let Err(error) = self.ended.add(&ids) {
            eprintln!("stintd: an end could not be noted in /run/stint: {error}");
        }
    }

    /// Shuts the gate on what was ended before this daemon was started and is not so in the state.
    pub(super) fn close_on_noted(&self) -> Vec<(Grant, Ending)> {
        let noted = match self.ended.read() {
            Ok(noted) => noted,
            Err(error) => {
                eprintln!("stintd: ends that were noted in /run/stint: {error}");
                return Vec::new();
            }
        };
        let close = |(id, reason)| {
            let ending = Ending::again(reason);
            let ended = self.close_gate(&[id], &ending);
            ended.into_iter().next().map(|grant| (grant, ending))
        };
        noted.into_iter().filter_map(close).collect()
    }

    /// Takes back what those had.
    pub(super) async fn take_back_noted(&self, noted: Vec<(Grant, Ending)>) {
        let changing = self.changes.lock().await;
        for (grant, ending) in noted {
            self.take_back(&[grant], &ending).await;
        }
        drop(changing);
    }

    /// Takes in what the list says and the state does not know, as after it was lost: memberships
    /// to be taken back, and sessions of grants that nobody knows. What somebody took away by hand
    /// is known, though the list may not have been written since.
    pub(super) async fn take_in_list(&self, listed: &Applied) {
        let new: Vec<_> = {
            let state = self.state();
            let is_withdrawn = |member: &Membership| {
                state.drift.withdrawn.iter().any(|Withdrawn { user, what, .. }| {
                    let of = matches!(what, Conferred::Group(group) if *group == member.group);
                    of && *user == member.user
                })
            };
            let members = listed.members.keys();
            members
                .filter(|member| !state.owned.contains(member) && !is_withdrawn(member))
                .cloned()
                .collect()
        };
        let writes = new.iter().cloned().map(Write::Owned).collect();
        {
            let mut state = self.state();
            state.owned.extend(new);
            if listed.rules_taken {
                state.drift.ruled.clear();
            }
        }
        self.store_or_keep(writes).await;
        let mut lost = Vec::new();
        for (id, held) in &listed.grants {
            if self.is_unknown(id).await {
                let Held { user, uid, role, manner, .. } = held.clone();
                let of = EvictionOf::Sessions { grant: id.clone(), role, uid };
                let Manner { leave, grace } = manner;
                lost.push(Eviction { of, user, leave, grace });
            }
        }
        let writes = lost.iter().cloned().map(Write::EvictionOwed).collect();
        self.store_or_keep(writes).await;
        self.evict(lost);
    }

    async fn is_unknown(&self, id: &GrantId) -> bool {
        let is_running = self.state().index.get(id).is_some();
        // Where the state cannot be read, nothing is known of it.
        !is_running && !self.store.id_taken(id).await.unwrap_or(true)
    }

    /// Writes the list a last time, if nobody is at it.
    pub(super) fn list_at_the_end(&self) {
        let applied = self.applied(&self.state(), self.now());
        let Ok(mut mechanisms) = self.mechanisms.try_lock() else { return };
        if let Err(error) = mechanisms.list_now(applied) {
            eprintln!("stintd: {error}");
        }
    }
}

/// A session that its control group's name does not tell of.
fn unnamed(session: &Session) -> Option<(GrantId, Spot)> {
    let grant = session.grant.as_ref().filter(|grant| !session.is_named_by(grant))?;
    let spot = match &session.group {
        // The list is words with spaces between.
        Some(group) if group.as_str().contains(char::is_whitespace) => return None,
        Some(group) => Spot::Group(group.clone()),
        None => Spot::Process(session.process),
    };
    Some((grant.clone(), spot))
}
