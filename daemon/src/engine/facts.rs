//! What the daemon knows of a requester beside the policy: what they held, hold and ask for.

use std::collections::BTreeMap;

use stint_policy::Policy;
use stint_policy::request::{OwnedFacts, Spell};
use stint_proto::{GrantId, Length, RoleName, Timestamp, Uid};

use super::Engine;
use crate::domain::grant::{Grant, Stage};
use crate::store::StoreError;

/// A daily budget looks back this far, in microseconds.
const DAY: i64 = 86_400_000_000;

/// A question about somebody and a role.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// Who asks.
    pub(super) uid: Uid,
    /// For what.
    pub(super) role: &'a RoleName,
    /// A grant that does not count, as it is the one in question.
    pub(super) except: Option<&'a GrantId>,
}

impl Engine {
    /// What is known for this question.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub(super) async fn known_of(&self, about: About<'_>) -> Result<OwnedFacts, StoreError> {
        let now = self.now();
        let cooldown = self.policy().roles.get(about.role).and_then(|role| role.cooldown);
        let back = cooldown.map_or(0, Length::micros).max(DAY);
        let since = Timestamp::from_micros(now.wall.micros().saturating_sub(back));
        let (ended, unreviewed) = self.store.history(about.uid, about.role.clone(), since).await?;
        let state = self.state();
        let counts = |grant: &&Grant| grant.role == *about.role && Some(&grant.id) != about.except;
        let running = || state.index.iter().filter(counts);
        let (mut own, others): (Vec<&Grant>, Vec<&Grant>) =
            running().partition(|grant| grant.uid == about.uid);
        own.sort_by_key(|grant| grant.starts_at);
        Ok(OwnedFacts {
            held: own.first().map(|grant| grant.id.clone()),
            spells: ended.iter().chain(own.iter().copied()).map(spell).collect(),
            pending: state.pending.of(about.uid, about.role).map(|request| request.id.clone()),
            others: others.iter().map(|grant| (grant.uid, spell(grant))).collect(),
            pending_of_user: state.pending.count_of(about.uid),
            pending_of_all: state.pending.count(),
            unreviewed,
        })
    }
}

impl Engine {
    /// What is known of this account for each role of this host, should it ask at that point.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub(super) async fn known_of_all(
        &self,
        policy: &Policy,
        uid: Uid,
    ) -> Result<BTreeMap<RoleName, OwnedFacts>, StoreError> {
        let mut known = BTreeMap::new();
        for role in policy.roles_here(&self.host) {
            let about = About { uid, role: &role.name, except: None };
            known.insert(role.name.clone(), self.known_of(about).await?);
        }
        Ok(known)
    }
}

fn spell(grant: &Grant) -> Spell {
    let ends_at = match grant.stage {
        Stage::Ended { at, .. } => at,
        Stage::Scheduled | Stage::Active => grant.deadline.wall,
    };
    Spell { starts_at: grant.starts_at, ends_at }
}
