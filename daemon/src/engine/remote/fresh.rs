//! How long a signed policy is current, and what goes on when it no longer is. A host cannot tell a
//! network that is cut from a carrier that keeps the next policy back: both are a policy that grows
//! old, and it says itself by when there has to be another.

use stint_policy::{Offline, Policy, Role};
use stint_proto::{ErrorCode, Event, GrantId, Origin, RoleName, Timestamp};

use super::InForce;
use crate::clock::Moment;
use crate::engine::end::Ending;
use crate::engine::{Engine, Refusal, State};
use crate::record::Entry;

/// Until when things go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Until {
    /// The policy is current.
    pub(super) current: Timestamp,
    /// New grants may begin.
    pub(super) new: Timestamp,
}

/// Until when this policy is good for what, by what it says and what the host's own says of it.
fn until(held: &InForce, policy: &Policy) -> Until {
    let own = policy.remote.as_ref();
    let not_after = held.header.not_after.unwrap_or(held.header.not_before);
    let aged = own
        .and_then(|remote| remote.max_age)
        .and_then(|age| held.header.not_before.checked_add(age));
    let current = aged.map_or(not_after, |aged| aged.min(not_after));
    let more = own.filter(|remote| remote.offline == Offline::New);
    let new = more
        .and_then(|remote| remote.offline_for)
        .and_then(|length| current.checked_add(length))
        .unwrap_or(current);
    Until { current, new }
}

impl State {
    /// Until when the signed policy in force is good for what; `None` where there is none.
    pub(super) fn until(&self) -> Option<Until> {
        self.remote.in_force.as_ref().map(|held| until(held, &self.policy))
    }
}

impl Engine {
    /// Whether new grants may rest on signed documents now.
    ///
    /// # Errors
    /// [`Refusal`] when the signed policy is older than it may be.
    pub(in crate::engine) fn takes_new(&self) -> Result<(), Refusal> {
        let now = self.trusted_wall(self.now());
        let state = self.state();
        let Some(until) = state.until() else { return Ok(()) };
        if now <= until.new {
            return Ok(());
        }
        let text = format!(
            "the signed policy is out of date since {}, so nothing new is given by it; what runs \
             goes on to its end",
            until.current
        );
        Err(Refusal::new(ErrorCode::Refused, text))
    }

    /// The same, for a role that may or may not rest on it.
    ///
    /// # Errors
    /// As above.
    pub(in crate::engine) fn is_current(&self, role: &RoleName) -> Result<(), Refusal> {
        let signed = |role: &Role| role.signed;
        match self.policy().roles.get(role).is_some_and(signed) {
            true => self.takes_new(),
            false => Ok(()),
        }
    }

    /// When the signed policy ceases to be current, in microseconds since boot, if that has not been
    /// told: a wall clock that is set back makes it current no longer.
    pub(in crate::engine) fn next_stale(&self, now: Moment) -> Option<i64> {
        let latest = self.trusted_wall(now);
        let state = self.state();
        let told = state.remote.told_stale;
        let held = state.remote.in_force.as_ref().filter(|held| told != Some(held.serial()))?;
        let current = until(held, &state.policy).current;
        // It counts up to then, itself included.
        let left = current.micros_since(latest).saturating_add(1);
        (left > 0).then(|| now.boot.saturating_add(left))
    }

    /// Tells once that the signed policy is not current any more, and ends what is to end then.
    pub(in crate::engine) async fn notice_stale(&self, now: Moment) {
        let latest = self.trusted_wall(now);
        let (serial, since, offline) = {
            let mut state = self.state();
            let Some(until) = state.until().filter(|until| latest > until.current) else { return };
            let serial = state.remote.in_force.as_ref().map(InForce::serial);
            if state.remote.told_stale == serial {
                return;
            }
            state.remote.told_stale = serial;
            let own = state.policy.remote.as_ref();
            let offline = own.map(|remote| remote.offline).unwrap_or_default();
            (serial.unwrap_or_default(), until.current, offline)
        };
        let what = match offline {
            Offline::Running => "what runs goes on to its end, nothing new is given by it",
            Offline::New => "new grants go on for a while",
            Offline::Nothing => "what rests on it ends",
        };
        let text = format!("the signed policy {serial} is out of date since {since}: {what}");
        self.record.note(Entry::new(now.wall, Event::SourceStale, text));
        if offline == Offline::Nothing {
            let changing = self.changes.lock().await;
            let ids = self.resting_on_signed();
            self.end(ids, &Ending::policy("the signed policy is out of date")).await;
            drop(changing);
        }
    }

    fn resting_on_signed(&self) -> Vec<GrantId> {
        let state = self.state();
        let signed = |role: &Role| role.signed;
        let rests = state.index.iter().filter(|grant| {
            grant.origin == Origin::Remote
                || state.policy.roles.get(&grant.role).is_some_and(signed)
        });
        rests.map(|grant| grant.id.clone()).collect()
    }
}
