//! Ending: by the clock, by revocation, by the policy. The gate closes first; what was given is
//! taken back after; nothing that fails keeps a grant alive.

use std::time::Duration;

use stint_proto::{EndReason, ErrorCode, Event, Grant as Shown, GrantId, RevokeOrder};

use super::decide::check_text;
use super::{Engine, Refusal};
use crate::domain::grant::Grant;
use crate::domain::index::NotOne;
use crate::store::Write;

/// How long what a holder has running goes on after they gave their grant back: they may have done
/// so from there, and are to see the answer.
const COURTESY: Duration = Duration::from_secs(1);

/// How and by whom grants are ended.
pub(super) struct Ending {
    reason: EndReason,
    actor: String,
    why: Option<String>,
}

impl Ending {
    /// By the clock.
    pub(super) fn expired() -> Self {
        Self { reason: EndReason::Expired, actor: "stintd".to_owned(), why: None }
    }

    /// By somebody else.
    pub(super) fn revoked(actor: &str, why: &str) -> Self {
        let (actor, why) = (actor.to_owned(), Some(why.to_owned()));
        Self { reason: EndReason::Revoked, actor, why }
    }

    /// By its holder.
    pub(super) fn dropped(actor: &str) -> Self {
        Self { reason: EndReason::Dropped, actor: actor.to_owned(), why: None }
    }

    /// Before this daemon was started, for this reason.
    pub(super) fn again(reason: EndReason) -> Self {
        let why = Some("it was ended before stintd was started again".to_owned());
        Self { reason, actor: "stintd".to_owned(), why }
    }

    /// By the policy.
    pub(super) fn policy(why: &str) -> Self {
        let why = Some(why.to_owned());
        Self { reason: EndReason::Policy, actor: "policy".to_owned(), why }
    }

    /// One line for people.
    fn told(&self, grant: &Grant) -> String {
        let what = format!("{} for {} ({})", grant.role, grant.user, grant.id);
        let (actor, why) = (&self.actor, self.why.as_deref().unwrap_or("no reason was given"));
        match self.reason {
            EndReason::Expired => format!("{what} has ended: its time is over"),
            EndReason::Revoked => format!("{what} was revoked by {actor}: {why}"),
            EndReason::Policy => format!("{what} has ended: {why}"),
            EndReason::Dropped => format!("{what} was dropped by {actor}"),
        }
    }

    fn event(&self) -> Event {
        match self.reason {
            EndReason::Expired => Event::GrantExpired,
            EndReason::Revoked | EndReason::Policy => Event::GrantRevoked,
            EndReason::Dropped => Event::GrantDropped,
        }
    }
}

impl Engine {
    /// Revokes what the order names.
    ///
    /// # Errors
    /// [`Refusal`] when it names nothing that runs, more than one grant by an id, or no reason.
    pub async fn revoke(&self, order: RevokeOrder, actor: &str) -> Result<Vec<Shown>, Refusal> {
        check_text("a reason", &order.reason)?;
        let ids = self.named_by(&order)?;
        if ids.is_empty() {
            self.known(order.user.as_ref(), order.role.as_ref()).await?;
        }
        let policy = self.policy();
        let ending = Ending::revoked(actor, &order.reason);
        let ended = self.end_now(&ids, &ending).await;
        Ok(ended.iter().map(|grant| self.shown(&policy, grant)).collect())
    }

    /// Ends these grants. The gate does not wait for its turn behind a slow change; what follows
    /// does.
    pub(super) async fn end_now(&self, ids: &[GrantId], ending: &Ending) -> Vec<Grant> {
        let ended = self.close_gate(ids, ending);
        let changing = self.changes.lock().await;
        self.take_back(&ended, ending).await;
        drop(changing);
        ended
    }

    fn named_by(&self, order: &RevokeOrder) -> Result<Vec<GrantId>, Refusal> {
        let state = self.state();
        let all = |keep: &dyn Fn(&Grant) -> bool| -> Vec<GrantId> {
            state.index.iter().filter(|grant| keep(grant)).map(|grant| grant.id.clone()).collect()
        };
        match (&order.id, &order.user, &order.role, order.all) {
            (Some(id), None, None, false) => match state.index.find(id) {
                Ok(grant) => Ok(vec![grant.id.clone()]),
                Err(NotOne::None) => Err(Refusal::new(
                    ErrorCode::NoSuchId,
                    format!("no running grant has the id {id}; stint list shows them"),
                )),
                Err(NotOne::Several(count)) => Err(Refusal::several("grants", id, count)),
            },
            (None, Some(user), None, false) => Ok(all(&|grant| grant.user == *user)),
            (None, None, Some(role), false) => Ok(all(&|grant| grant.role == *role)),
            (None, None, None, true) => Ok(all(&|_| true)),
            _ => Err(Refusal::new(
                ErrorCode::Invalid,
                "say which grants: by an id, by a user, by a role, or all of them",
            )),
        }
    }

    /// Ends these grants. The caller holds `changes`. The gate is closed when the first line is
    /// done; the rest is tried again until it works, and is an alarm meanwhile.
    pub(super) async fn end(&self, ids: Vec<GrantId>, ending: &Ending) -> Vec<Grant> {
        let ended = self.close_gate(&ids, ending);
        self.take_back(&ended, ending).await;
        ended
    }

    /// Makes ends durable and takes back what was given. The caller holds `changes`.
    pub(super) async fn take_back(&self, ended: &[Grant], ending: &Ending) {
        if ended.is_empty() {
            return;
        }
        self.note_ended(ended, ending.reason);
        let evictions = self.evictions_of(ended);
        let mut writes: Vec<Write> = evictions.iter().cloned().map(Write::EvictionOwed).collect();
        let mut entries = Vec::with_capacity(ended.len());
        for grant in ended {
            let text = ending.told(grant);
            let mut entry = self.about(ending.event(), grant, &ending.actor, text);
            if ending.why.is_some() {
                entry.reason.clone_from(&ending.why);
            }
            writes.push(Write::Grant(grant.clone()));
            writes.push(Write::Record(entry.clone()));
            writes.extend(self.outgoing(&entry, None, Some(grant)));
            entries.push(entry);
        }
        let durable = self.store_or_keep(writes);
        // Beside the work on files, which is done on a thread of its own.
        let told = async { entries.iter().for_each(|entry| self.record.tell(entry)) };
        let (failures, mut owed) = match ending.reason {
            // What the clock has ended is over whatever the state says: neither waits for the other.
            EndReason::Expired => tokio::join!(durable, self.bring_about(), told).1,
            EndReason::Revoked | EndReason::Dropped | EndReason::Policy => {
                durable.await;
                tokio::join!(self.bring_about(), told).0
            }
        };
        self.count_ended(ended, ending.reason, &failures);
        self.clear_tickets(ended).await;
        owed.extend(evictions);
        match ending.reason {
            EndReason::Dropped => self.evict_after(COURTESY, owed),
            EndReason::Expired | EndReason::Revoked | EndReason::Policy => self.evict(owed),
        }
    }

    pub(super) fn close_gate(&self, ids: &[GrantId], ending: &Ending) -> Vec<Grant> {
        let at = self.now().wall;
        let mut state = self.state();
        let mut ended = Vec::new();
        for id in ids {
            let Some(mut grant) = state.index.get(id).cloned() else { continue };
            if grant.end(at, ending.reason) {
                state.index.put(grant.clone());
                state.drift.numbers.insert(grant.user.clone(), grant.uid);
                ended.push(grant);
            }
        }
        drop(state);
        self.changed();
        ended
    }
}
