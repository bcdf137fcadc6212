//! Taking back: rules, memberships, tickets. Each by the mechanism that gave it, and only what the
//! list names.

use std::collections::{BTreeMap, BTreeSet};

use stint_proto::{Event, GrantId};

use super::{Sweep, off_thread};
use crate::applied::{Applied, Given, Held, Owed, key_of};
use crate::domain::manner::Manner;
use crate::enforce::change::{Change, Membership as Pair};
use crate::enforce::group_files::Etc;
use crate::enforce::groups::{GroupReport, Groups};
use crate::enforce::polkit_rule::{PolkitOutcome, PolkitRules};
use crate::enforce::sudo_rule::{SudoOutcome, SudoRules};
use crate::enforce::tickets;
use crate::enforce::userdb::Userdb;
use crate::store::{Backend, Eviction, EvictionOf, Membership};

/// What one backend has taken back: what was really there, and all that is not there now.
struct Taken {
    really: BTreeSet<Pair>,
    report: GroupReport,
}

impl Sweep<'_> {
    /// Takes back what is over. What could be is struck out of `applied`, or is owed there. `false`
    /// if rules are left that should be gone.
    pub(super) async fn take_back(
        &mut self,
        applied: &mut Applied,
        over: &[(GrantId, Held)],
    ) -> bool {
        let running: BTreeSet<GrantId> = applied.grants.keys().cloned().collect();
        let is_whole = self.take_out_rules(applied, &running).await;
        let manners: BTreeMap<&GrantId, Manner> =
            over.iter().map(|(id, held)| (id, held.manner)).collect();
        let goes = |given: &Given| given.grants.is_disjoint(&running);
        let gone: BTreeMap<Membership, Given> = applied
            .members
            .iter()
            .filter(|(_, given)| goes(given))
            .map(|(member, given)| (member.clone(), given.clone()))
            .collect();
        for backend in [Backend::Files, Backend::Userdb] {
            self.take_members(backend, &gone, &manners, applied).await;
        }
        let holders = over.iter().map(|(_, held)| (held.user.clone(), held.uid)).collect();
        if let Err(error) = tickets::clear(&holders) {
            self.fail(error.to_string());
        }
        is_whole
    }

    /// Rewrites the rule files without what is over, by their own text. Every mechanism with a file
    /// of rules that name their grant is asked here. `false` if one could not.
    async fn take_out_rules(&mut self, applied: &mut Applied, running: &BTreeSet<GrantId>) -> bool {
        let keep = running.clone();
        let sudo = off_thread(move || {
            let done = SudoRules::of_host().take_out(|id| !keep.contains(id));
            done.map(|(done, why)| (done != SudoOutcome::Unchanged, why))
                .map_err(|error| error.to_string())
        });
        let sudo = sudo.await.map_err(|error| error.to_string()).and_then(|done| done);
        let keep = running.clone();
        let polkit = off_thread(move || {
            let done = PolkitRules::of_host().take_out(|id| !keep.contains(id));
            done.map(|(done, why)| (done != PolkitOutcome::Unchanged, why))
                .map_err(|error| error.to_string())
        });
        let polkit = polkit.await.map_err(|error| error.to_string()).and_then(|done| done);
        applied.rules_taken |= matches!(&sudo, Ok((true, Some(_)))) && !running.is_empty();
        let sudo_events = (Event::SudoRuleWritten, Event::SudoRuleFailed);
        let polkit_events = (Event::PolkitRuleWritten, Event::PolkitRuleFailed);
        let sudo = self.tell_of_rules("sudo", sudo_events, sudo);
        let polkit = self.tell_of_rules("polkit", polkit_events, polkit);
        sudo && polkit
    }

    /// `false` if rules are left that should be gone.
    fn tell_of_rules(
        &mut self,
        of: &str,
        (written, failed): (Event, Event),
        done: Result<(bool, Option<String>), String>,
    ) -> bool {
        let (event, text, is_whole) = match done {
            Ok((false, None)) => return true,
            Ok((_, None)) => {
                (written, format!("the {of} rules of what is over were taken out"), true)
            }
            Ok((_, Some(why))) => {
                let text = format!(
                    "all {of} rules of stint are gone, those of grants that run too, as those that \
                     are over could not be taken out alone: {why}"
                );
                self.fail(text.clone());
                (written, text, true)
            }
            Err(why) => {
                let text = format!("{of} rules that are over could not be taken out: {why}");
                self.fail(text.clone());
                (failed, text, false)
            }
        };
        let entry = self.entry(event, text);
        self.journal.write(&entry);
        is_whole
    }

    async fn take_members(
        &mut self,
        backend: Backend,
        gone: &BTreeMap<Membership, Given>,
        manners: &BTreeMap<&GrantId, Manner>,
        applied: &mut Applied,
    ) {
        let of_it = gone.keys().filter(|member| member.backend == backend);
        let pairs: BTreeSet<Pair> =
            of_it.map(|member| (member.user.clone(), member.group.clone())).collect();
        if pairs.is_empty() {
            return;
        }
        let Taken { really, report } = match off_thread(move || take(backend, &pairs)).await {
            Ok(taken) => taken,
            Err(error) => {
                self.fail(error.to_string());
                return;
            }
        };
        for (user, group) in report.removed {
            let member = Membership { user, group, backend };
            let Some(given) = applied.members.remove(&member) else { continue };
            let Membership { user, group, .. } = member;
            if really.contains(&(user.clone(), group.clone())) {
                let text = format!("{user} is no longer in {group} ({backend})");
                self.about_member(Event::GroupRemoved, &user, &group, &given, text);
            }
            let of_grants = given.grants.iter().filter_map(|id| manners.get(id));
            let manner = of_grants.copied().reduce(|one, other| Manner {
                leave: one.leave && other.leave,
                grace: one.grace.max(other.grace),
            });
            let Manner { leave, grace } = manner.unwrap_or_default();
            let of = EvictionOf::Group { group, uid: None };
            let eviction = Eviction { of, user, leave, grace };
            let owed = Owed { eviction, carried: given.carried };
            applied.owed.insert(key_of(&owed.eviction), owed);
        }
        for ((user, group), _, why) in report.failed {
            let text = format!("{user} is still in {group}: {why}");
            let member = Membership { user, group, backend };
            let given = gone.get(&member).cloned().unwrap_or_default();
            let Membership { user, group, .. } = member;
            self.about_member(Event::GroupFailed, &user, &group, &given, text.clone());
            self.fail(text);
        }
    }

    fn about_member(
        &mut self,
        event: Event,
        user: &stint_proto::UserName,
        group: &stint_proto::GroupName,
        given: &Given,
        text: String,
    ) {
        let mut entry = self.entry(event, text);
        entry.user = Some(user.to_string());
        entry.group = Some(group.clone());
        entry.grant = given.grants.first().cloned();
        self.tell_of_member(&entry);
    }
}

/// Takes these back and gives nothing.
fn take(backend: Backend, pairs: &BTreeSet<Pair>) -> Taken {
    let groups = match backend {
        Backend::Files => Groups::Files(Etc::of_host()),
        Backend::Userdb => Groups::Userdb(Userdb::of_host()),
    };
    let mut really = BTreeSet::new();
    let none = BTreeSet::new();
    let report = groups.bring_about(&none, pairs, &none, &mut |changes: &[Change]| {
        really.extend(changes.iter().map(|change| change.membership.clone()));
        Ok(())
    });
    Taken { really, report }
}
