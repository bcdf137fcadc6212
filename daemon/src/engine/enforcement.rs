//! Bringing the host to what the running grants say: the mechanisms bring it about on a thread of
//! their own, where locks may be waited for; what came of it is taken in here.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use stint_policy::{Policy, Role};
use stint_proto::{ErrorCode, Event, GrantId, GroupName, UserName};

use super::desired::fresh;
use super::failure::{About, Failure};
use super::mechanisms::{BadRules, Report};
use super::{Engine, Refusal};
use crate::accounts;
use crate::clock::Moment;
use crate::domain::grant::Grant;
use crate::record::Entry;
use crate::store::{Conferred, Eviction, Membership, StoreError, Write};

/// How long the account database may take to show a membership that was given.
const SEEN_LIMIT: Duration = Duration::from_secs(5);

/// Which grant gives a membership.
type Givers = HashMap<(UserName, GroupName), GrantId>;

impl Engine {
    /// Brings the host to what is held now. The caller holds `changes`. Returns what could not be
    /// done; it stands as an alarm and is tried again.
    pub(super) async fn enforce(&self) -> Vec<Failure> {
        let (failures, evictions) = self.bring_about().await;
        self.evict(evictions);
        failures
    }

    /// The same; who carries what was taken back is left to the caller to evict.
    pub(super) async fn bring_about(&self) -> (Vec<Failure>, Vec<Eviction>) {
        let now = self.now();
        let mut evictions = self.end_withdrawals().await;
        let (mut desired, owned) = self.wanted(now);
        desired.applied = self.applied(&self.state(), now);
        let fresh = fresh(&desired, &owned);
        desired.carried = self.carried_already(fresh).await;
        // Who had it of stint before and is still to be ended is not spared by a new grant.
        let is_owed = |pair: &(UserName, GroupName)| self.owes_carriers(pair);
        desired.carried.retain(|pair, _| !is_owed(pair));
        let carried = desired.carried.clone();
        let mechanisms = Arc::clone(&self.mechanisms);
        let (store, ruled) = (self.store.clone(), Arc::clone(&self.ruled));
        let work = tokio::task::spawn_blocking(move || {
            let mut mechanisms = mechanisms.lock().unwrap_or_else(PoisonError::into_inner);
            mechanisms.bring_about(desired, &owned, &store, &ruled)
        });
        let mut report = match work.await {
            Ok(report) => report,
            Err(error) => Report::broken(&error.to_string()),
        };
        for membership in one_of_each_group(&report.added) {
            report.failures.extend(self.unseen(membership).await);
        }
        evictions.append(&mut report.evictions);
        self.state().carried.extend(carried);
        self.withdraw(std::mem::take(&mut report.missing)).await;
        self.take_in_rules(std::mem::take(&mut report.rules)).await;
        (self.take_in(report, now), evictions)
    }

    /// Asks the host itself whether a membership that was given is one. Where it does not say in
    /// time, what was written counts.
    async fn unseen(&self, membership: &Membership) -> Option<Failure> {
        let Membership { user, group, .. } = membership.clone();
        let (asked_user, asked_group) = (user.clone(), group.clone());
        let asked = move || accounts::is_member(&asked_user, &asked_group);
        let text = match self.lookups.ask(SEEN_LIMIT, asked).await {
            None | Some(Ok(true)) => return None,
            Some(Ok(false)) => format!(
                "{user} was put into {group}, but this host does not see it: look at group: in \
                 /etc/nsswitch.conf, and at caches such as nscd and sssd"
            ),
            Some(Err(error)) => format!("{user} was put into {group}: {error}"),
        };
        Some(Failure { about: About::Giving(user, group), text })
    }

    /// Takes in what was done: memberships owned, events, alarms.
    fn take_in(&self, report: Report, now: Moment) -> Vec<Failure> {
        let Report {
            backend,
            intended,
            added,
            removed,
            found,
            missing: _,
            evictions: _,
            unsaved,
            sudo_rules,
            polkit_rules,
            rules: _,
            mut failures,
        } = report;
        {
            let mut state = self.state();
            if let Some(backend) = backend {
                state.backend = backend.as_str().to_owned();
            }
            // What was going to be given counts as owned, whatever came of it: the state says so
            // too, and taking back what is not there does no harm.
            state.owned.extend(intended);
            state.owned.extend(added.iter().cloned());
            for gone in &removed {
                state.owned.remove(gone);
                state.drift.seen.remove(gone);
            }
            state.drift.seen.extend(added.iter().chain(&found).cloned());
            state.drift.unverified.extend(removed.iter().cloned());
            state.unsaved.extend(unsaved);
            state.listing.is_due = true;
        }
        for membership in added.iter().chain(&found) {
            self.store.note(Write::Seen(membership.clone()));
        }
        let is_none = added.is_empty() && removed.is_empty();
        let givers = if is_none { Givers::new() } else { self.givers(now) };
        for membership in &added {
            self.note_membership(Event::GroupAdded, membership, &givers, "is in");
        }
        for membership in &removed {
            self.note_membership(Event::GroupRemoved, membership, &givers, "is no longer in");
        }
        if let Some(text) = sudo_rules {
            self.record.note(Entry::new(now.wall, Event::SudoRuleWritten, text));
        }
        if let Some(text) = polkit_rules {
            self.record.note(Entry::new(now.wall, Event::PolkitRuleWritten, text));
        }
        let held_up = failures.iter().any(|failure| failure.about == About::List);
        self.state().listing.held_up = held_up;
        let owed = self.still_owed().into_iter();
        failures.extend(owed.filter(|failure| !held_up || failure.about != About::List));
        self.raise(&failures, now);
        self.look_soon();
        failures
    }

    /// What was begun and is not done, beside what a report names.
    fn still_owed(&self) -> Vec<Failure> {
        let state = self.state();
        let saving = (!state.unsaved.is_empty()).then(|| (About::State, unsaved_text()));
        let beginning = state.unbegun.clone().map(|text| (About::Start, text));
        let holding = state.unheld.clone().map(|text| (About::Holding, text));
        let forgetting = state.unforgotten.clone().map(|text| (About::PolkitMemory, text));
        let ending = state.unended.clone().into_iter();
        let ending = ending.map(|(which, text)| (About::Eviction(which), text));
        let owed = saving.into_iter().chain(beginning).chain(holding).chain(forgetting);
        let owed = owed.chain(ending).map(|(about, text)| Failure { about, text });
        owed.chain(state.listing.failed.clone()).collect()
    }

    fn note_membership(&self, event: Event, membership: &Membership, givers: &Givers, verb: &str) {
        let Membership { user, group, backend } = membership;
        let text = format!("{user} {verb} {group} ({})", backend.as_str());
        let mut entry = Entry::new(self.now().wall, event, text);
        entry.user = Some(user.to_string());
        entry.group = Some(group.clone());
        entry.grant = givers.get(&(user.clone(), group.clone())).cloned();
        self.record.note(entry);
    }

    /// Which grant that is held gives each membership.
    fn givers(&self, now: Moment) -> Givers {
        let state = self.state();
        let mut givers = Givers::new();
        for grant in state.index.iter().filter(|grant| grant.holds(now)) {
            let Some(role) = state.policy.role_here(&grant.role, &self.host) else { continue };
            for group in &role.groups {
                if state.drift.has_taken(grant, &Conferred::Group(group.clone())) {
                    continue;
                }
                let pair = (grant.user.clone(), group.clone());
                givers.entry(pair).or_insert_with(|| grant.id.clone());
            }
        }
        givers
    }

    /// Sets the alarms to these failures and records those that are new.
    fn raise(&self, failures: &[Failure], now: Moment) {
        let standing = failures.iter().map(|failure| (failure.key(), failure.text.clone()));
        let new = self.state().alarms.replace(standing.collect(), now);
        for failure in failures.iter().filter(|failure| new.contains(&failure.text)) {
            let mut entry = Entry::new(now.wall, failure.event(), failure.text.clone());
            if let About::Giving(user, group) | About::TakingBack(user, group) = &failure.about {
                entry.user = Some(user.to_string());
                entry.group = Some(group.clone());
            }
            self.record.note(entry);
        }
        self.rearm.notify_one();
    }

    /// Clears what sudo and sudo-rs remember of these holders, so that no ticket outlives a grant.
    pub(super) async fn clear_tickets(&self, ended: &[Grant]) {
        let holders: BTreeSet<_> =
            ended.iter().map(|grant| (grant.user.clone(), grant.uid)).collect();
        let mechanisms = Arc::clone(&self.mechanisms);
        let work = tokio::task::spawn_blocking(move || {
            mechanisms.lock().unwrap_or_else(PoisonError::into_inner).clear_tickets(&holders)
        });
        let failure = match work.await {
            Ok(failure) => failure,
            Err(error) => Some(Failure { about: About::Tickets, text: error.to_string() }),
        };
        // No retry: the gate is shut, and a ticket alone opens nothing.
        if let Some(Failure { text, .. }) = failure {
            self.record.note(Entry::new(self.now().wall, Event::SudoRuleFailed, text));
        }
    }

    /// Asks sudo's own checkers whether they can read every role's rules.
    ///
    /// # Errors
    /// [`BadRules`], with the role.
    pub(super) async fn try_sudo_rules(&self, policy: &Policy) -> Result<(), BadRules> {
        let roles: Vec<Role> =
            policy.roles_here(&self.host).filter(|role| !role.sudo.is_empty()).cloned().collect();
        let mechanisms = Arc::clone(&self.mechanisms);
        let work = tokio::task::spawn_blocking(move || {
            let mechanisms = mechanisms.lock().unwrap_or_else(PoisonError::into_inner);
            // All in one go; one by one only to say which is at fault.
            if mechanisms.try_rules(&roles.iter().collect::<Vec<_>>()).is_ok() {
                return Ok(());
            }
            roles.iter().try_for_each(|role| {
                let named = |said| format!("{}: roles.{}.sudo: {said}", role.at, role.name);
                mechanisms.try_rules(&[role]).map_err(|error| match error {
                    BadRules::Wrong(said) => BadRules::Wrong(named(said)),
                    BadRules::Untried(said) => BadRules::Untried(named(said)),
                })
            })
        });
        work.await.unwrap_or_else(|error| Err(BadRules::Untried(error.to_string())))
    }

    /// Commits changes that must not be lost: what cannot be written now is kept, is an alarm, and
    /// is tried again, before anything newer.
    pub(super) async fn store_or_keep(&self, writes: Vec<Write>) {
        let mut all = std::mem::take(&mut self.state().unsaved);
        all.extend(writes);
        if all.is_empty() {
            return;
        }
        if let Err(error) = self.store.change(all.clone()).await {
            {
                // What came meanwhile is newer.
                let mut state = self.state();
                all.append(&mut state.unsaved);
                state.unsaved = all;
            }
            self.alarm_state(&error);
        }
    }

    /// Writes what waits to be written. Nothing new is begun on a state that is behind.
    ///
    /// # Errors
    /// [`Refusal`] while it cannot be written.
    pub(super) async fn save_what_waits(&self) -> Result<(), Refusal> {
        self.store_or_keep(Vec::new()).await;
        if self.state().unsaved.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(ErrorCode::Failed, unsaved_text()))
    }

    /// Raises the alarm that the state cannot be written.
    pub(super) fn alarm_state(&self, error: &StoreError) {
        self.alarm(Failure { about: About::State, text: unsaved_text() }, &error.to_string());
    }

    /// Raises an alarm; it stands until a try has shown that it is over.
    pub(super) fn alarm(&self, failure: Failure, error: &str) {
        let now = self.now();
        if self.state().alarms.add(failure.key(), failure.text.clone(), now) {
            eprintln!("stintd: {error}");
            self.record.note(Entry::new(now.wall, failure.event(), failure.text));
        }
        self.rearm.notify_one();
    }

    /// Notes the wall clock while grants run, so that a clock set back over a reboot is known, and
    /// has what others may have changed looked at: a database on the network tells of nothing.
    pub fn note_time(&self) {
        let running = self.state().index.iter().next().is_some();
        if running {
            self.store.note(Write::HighWater(self.now().wall));
            self.relist_soon();
            self.look_soon();
        }
    }
}

pub(super) fn unsaved_text() -> String {
    "the state cannot be written (is its disk full?): what has ended stays ended, nothing new is \
     granted"
        .to_owned()
}

/// One membership of each group: they were given together, and what keeps one from being seen, a
/// cache or nsswitch.conf, keeps them all.
fn one_of_each_group(added: &[Membership]) -> impl Iterator<Item = &Membership> {
    let mut groups = BTreeSet::new();
    added.iter().filter(move |membership| groups.insert((&membership.group, membership.backend)))
}
