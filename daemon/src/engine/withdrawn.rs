//! What somebody took away by hand in the middle of a grant: it stands, for the grants that ran then,
//! until they end. Then those who still carry it are ended as if stint had taken it back. A grant that
//! begins later confers it again.

use std::collections::{BTreeMap, BTreeSet};

use stint_proto::{Event, Grant as Shown, GrantId, GroupName, UserName};

use super::Engine;
use super::drift::PAUSE;
use super::mechanisms::RulesSeen;
use crate::domain::grant::Grant;
use crate::domain::manner::Manner;
use crate::enforce::sudo_rule::RulesFound;
use crate::record::Entry;
use crate::store::{Conferred, Eviction, EvictionOf, Membership, Withdrawn, Write};

impl Engine {
    /// Takes in that these memberships, which stint gave, were taken away by somebody else. The
    /// caller holds `changes`.
    pub(super) async fn withdraw(&self, missing: Vec<Membership>) {
        if missing.is_empty() {
            return;
        }
        let now = self.now();
        // An account that was renamed takes its memberships along, and that is looked at by itself.
        // Who renames by hand writes one file after the other.
        tokio::time::sleep(PAUSE).await;
        let moved = self.moved_accounts().await;
        let mut writes = Vec::new();
        for membership in missing {
            if moved.contains(&membership.user) {
                self.look_soon();
                continue;
            }
            let Membership { user, group, .. } = membership.clone();
            let grants: Vec<Grant> = {
                let state = self.state();
                let held =
                    state.index.iter().filter(|grant| grant.holds(now) && grant.user == user);
                let gives = |grant: &&Grant| {
                    state
                        .policy
                        .role_here(&grant.role, &self.host)
                        .is_some_and(|role| role.groups.contains(&group))
                };
                held.filter(gives).cloned().collect()
            };
            let what = Conferred::Group(group.clone());
            let withdrawn: Vec<Withdrawn> =
                grants.iter().map(|grant| withdrawn(grant, &what)).collect();
            writes.push(Write::Disowned(membership.clone()));
            writes.extend(withdrawn.iter().cloned().map(Write::Withdrawn));
            {
                let mut state = self.state();
                state.owned.remove(&membership);
                state.drift.seen.remove(&membership);
                state.drift.withdrawn.extend(withdrawn);
            }
            let text = format!(
                "{user} was taken out of {group} by hand, which stands: {} without that group",
                go_on(&grants)
            );
            let mut entry = Entry::new(now.wall, Event::GroupDrift, text);
            entry.user = Some(user.to_string());
            entry.uid = grants.first().map(|grant| grant.uid);
            entry.grant = grants.first().map(|grant| grant.id.clone());
            entry.group = Some(group);
            self.record.note(entry);
        }
        self.store_or_keep(writes).await;
        self.changed();
    }

    /// Takes in what was found of the sudo rule file, and what was made of it. The caller holds
    /// `changes`.
    pub(super) async fn take_in_rules(&self, seen: RulesSeen) {
        let RulesSeen { found, removed, made } = seen;
        let edited = {
            let mut state = self.state();
            let drift = &mut state.drift;
            if found == Some(RulesFound::Nothing) {
                drift.rules.clone_from(&found);
            }
            found.as_ref().and_then(|found| {
                // Before the first look nothing is known of the file.
                let is_own = drift.rules.as_ref().is_none_or(|own| own == found);
                let is_known = drift.edited.as_ref() == Some(found);
                drift.edited = (!is_own).then(|| found.clone());
                (!is_own && !is_known).then(|| (found.clone(), drift.rules.clone()))
            })
        };
        if let Some((found, before)) = edited {
            self.note_edit(&found, before.as_ref());
        }
        if !removed.is_empty() {
            self.withdraw_rules(removed).await;
        }
        let Some((rules, ruled)) = made else { return };
        let (come, gone): (Vec<GrantId>, Vec<GrantId>) = {
            let mut state = self.state();
            let drift = &mut state.drift;
            drift.rules = rules;
            drift.edited = None;
            let before = std::mem::replace(&mut drift.ruled, ruled);
            let come = drift.ruled.difference(&before).cloned().collect();
            (come, before.difference(&drift.ruled).cloned().collect())
        };
        if !(come.is_empty() && gone.is_empty()) {
            self.store.note(Write::Ruled { come, gone });
        }
    }

    async fn withdraw_rules(&self, removed: BTreeSet<GrantId>) {
        let grants: Vec<Grant> = {
            let state = self.state();
            removed.iter().filter_map(|id| state.index.get(id).cloned()).collect()
        };
        let withdrawn: Vec<Withdrawn> =
            grants.iter().map(|grant| withdrawn(grant, &Conferred::SudoRules)).collect();
        self.store_or_keep(withdrawn.iter().cloned().map(Write::Withdrawn).collect()).await;
        self.state().drift.withdrawn.extend(withdrawn);
        let text = format!(
            "/etc/sudoers.d/stint was removed by hand, which stands: {} without sudo rules",
            go_on(&grants)
        );
        let mut entry = Entry::new(self.now().wall, Event::SudoRuleDrift, text);
        entry.grant = grants.first().map(|grant| grant.id.clone());
        self.record.note(entry);
        self.changed();
    }

    /// What was written there is nobody's business: it may be anything.
    fn note_edit(&self, found: &RulesFound, before: Option<&RulesFound>) {
        let how = match found {
            RulesFound::Odd { how } => how,
            _ if before == Some(&RulesFound::Nothing) => "there was none before",
            _ => "its text is another",
        };
        let text = format!(
            "/etc/sudoers.d/stint was changed by hand ({how}); the next change of grants replaces \
             it, and so does  stint reload"
        );
        self.record.note(Entry::new(self.now().wall, Event::SudoRuleDrift, text));
        self.changed();
    }

    /// Forgets what was withdrawn of grants that are over. Who still carries such a group is to be
    /// ended: they have it from stint. The caller holds `changes`.
    pub(super) async fn end_withdrawals(&self) -> Vec<Eviction> {
        let (over, evictions) = {
            let state = self.state();
            let is_over = |own: &&Withdrawn| state.index.get(&own.grant).is_none();
            let over: Vec<Withdrawn> =
                state.drift.withdrawn.iter().filter(is_over).cloned().collect();
            if over.is_empty() {
                return Vec::new();
            }
            let given = state.owned.iter().map(|own| (&own.user, &own.group));
            let given: BTreeSet<(&UserName, &GroupName)> = given.collect();
            let manners = crate::domain::manner::manners(&state.policy);
            let evictions = over.iter().filter_map(|Withdrawn { user, what, .. }| {
                let Conferred::Group(group) = what else { return None };
                if given.contains(&(user, group)) {
                    return None;
                }
                let Manner { leave, grace } = manners.get(group).copied().unwrap_or_default();
                let uid = state.drift.numbers.get(user).copied();
                let of = EvictionOf::Group { group: group.clone(), uid };
                Some(Eviction { of, user: user.clone(), leave, grace })
            });
            let evictions: Vec<Eviction> = evictions.collect();
            (over, evictions)
        };
        let forgotten = over.iter().map(|own| Write::WithdrawnOver(own.grant.clone()));
        let owed = evictions.iter().cloned().map(Write::EvictionOwed);
        self.store_or_keep(owed.chain(forgotten).collect()).await;
        self.state().drift.withdrawn.retain(|own| !over.contains(own));
        evictions
    }

    /// Adds to grants, as they are shown, what they confer no more.
    pub(super) fn mark_withdrawn(&self, shown: &mut [Shown]) {
        let state = self.state();
        let mut without: BTreeMap<&GrantId, Vec<String>> = BTreeMap::new();
        for own in &state.drift.withdrawn {
            without.entry(&own.grant).or_default().push(own.what.to_string());
        }
        for grant in shown {
            grant.without = without.get(&grant.id).cloned().unwrap_or_default();
        }
    }
}

pub(super) fn withdrawn(grant: &Grant, what: &Conferred) -> Withdrawn {
    Withdrawn { grant: grant.id.clone(), user: grant.user.clone(), what: what.clone() }
}

/// `g4t9 and k2mf go on`.
fn go_on(grants: &[Grant]) -> String {
    let ids: Vec<String> = grants.iter().map(|grant| grant.id.to_string()).collect();
    match ids.as_slice() {
        [id] => format!("{id} goes on"),
        ids => format!("{} go on", ids.join(", ")),
    }
}
