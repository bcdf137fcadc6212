//! What the host should be like for the grants that run, worked out from values. Changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use stint_policy::Policy;
use stint_proto::{GroupName, Uid, UserName};

use super::Engine;
use super::drift::Drift;
use super::mechanisms::{Desired, SudoGrant};
use crate::clock::Moment;
use crate::domain::grant::Grant;
use crate::domain::manner::manners;
use crate::enforce::polkit_rule::PolkitEntry;
use crate::store::{Conferred, Membership};

impl Engine {
    /// What the host should be like now, and what stint owns of it.
    pub(super) fn wanted(&self, now: Moment) -> (Desired, BTreeSet<Membership>) {
        let mut state = self.state();
        let state = &mut *state;
        let holding = state.index.iter().filter(|grant| grant.holds(now));
        let mut desired = desired(&state.policy, &self.host, holding, &state.drift);
        let owned: HashSet<&UserName> = state.owned.iter().map(|own| &own.user).collect();
        state.drift.numbers.retain(|user, _| owned.contains(user));
        let running = state.index.iter().map(|grant| (grant.user.clone(), grant.uid));
        state.drift.numbers.extend(running);
        desired.numbers.clone_from(&state.drift.numbers);
        desired.seen.clone_from(&state.drift.seen);
        desired.ruled.clone_from(&state.drift.ruled);
        (desired, state.owned.clone())
    }
}

/// What the host should be like for these grants.
fn desired<'a>(
    policy: &Policy,
    host: &str,
    holding: impl Iterator<Item = &'a Grant>,
    drift: &Drift,
) -> Desired {
    let mut desired = Desired::default();
    for grant in holding {
        let Some(role) = policy.role_here(&grant.role, host) else { continue };
        for group in &role.groups {
            if !drift.has_taken(grant, &Conferred::Group(group.clone())) {
                let pair = (grant.user.clone(), group.clone());
                desired.conferred_by.entry(pair.clone()).or_default().insert(grant.id.clone());
                desired.memberships.insert(pair);
            }
        }
        if !role.sudo.is_empty() && !drift.has_taken(grant, &Conferred::SudoRules) {
            desired.sudo.push(SudoGrant {
                uid: grant.uid,
                user: grant.user.clone(),
                grant: grant.id.clone(),
                expires_at: grant.deadline.wall,
                role: role.clone(),
            });
        }
        if !role.polkit.is_empty() {
            desired.polkit.push(PolkitEntry {
                uid: grant.uid,
                user: grant.user.clone(),
                grant: grant.id.clone(),
                role: role.name.clone(),
                expires_at: grant.deadline.wall,
                password: role.password,
                actions: role.polkit.clone(),
            });
        }
    }
    desired.backend = policy.backend;
    desired.manners = manners(policy);
    desired
}

/// What is to be given that stint does not own yet, with the number of whom it is given to.
pub(super) fn fresh(
    desired: &Desired,
    owned: &BTreeSet<Membership>,
) -> BTreeMap<(UserName, GroupName), Uid> {
    let owned: HashSet<(&UserName, &GroupName)> =
        owned.iter().map(|own| (&own.user, &own.group)).collect();
    let fresh = desired.memberships.iter().filter_map(|pair @ (user, group)| {
        let uid = *desired.numbers.get(user)?;
        (!owned.contains(&(user, group))).then(|| (pair.clone(), uid))
    });
    fresh.collect()
}
