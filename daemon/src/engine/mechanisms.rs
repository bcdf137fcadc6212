//! The mechanisms that change the host, put together: from what is desired and what is owned to
//! what was done. Runs on a thread where waiting is allowed; decides nothing.

mod look;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::sys::stat::FileStat;
use stint_policy::{Backend as Asked, Role};
use stint_proto::{GrantId, POLKIT_RULE_FILE, SUDO_RULE_FILE, Timestamp, Uid, UserName};
use tokio::sync::Notify;

pub(super) use self::report::{BadRules, Desired, Looked, Report, RulesSeen, SudoGrant};
use super::failure::{About, Failure};
use crate::applied::{Applied, Given, List, ListError};
use crate::domain::manner::Manner;
use crate::enforce::change::{Action, Change, Membership as Pair};
use crate::enforce::group_files::Etc;
use crate::enforce::groups::{GroupReport, Groups, choose};
use crate::enforce::polkit_rule::{PolkitOutcome, PolkitRules};
use crate::enforce::sudo_rule::{SudoEntry, SudoOutcome, SudoRuleError, SudoRules};
use crate::enforce::tickets;
use crate::enforce::userdb::Userdb;
use crate::record::counted;
use crate::residue::Mark;
use crate::store::{Backend, Eviction, EvictionOf, Membership, Store, Write};

/// Everything of the host that grants change, and the list of it.
#[derive(Debug)]
pub struct Mechanisms {
    list: List,
    files: Groups,
    userdb: Groups,
    sudo: SudoRules,
    polkit: Arc<PolkitRules>,
    nsswitch: PathBuf,
    /// The rule files as stint last left them.
    own_rules: BTreeMap<String, Mark>,
    nscd: PathBuf,
    /// A cache that runs has not been told yet that memberships have changed.
    stale: bool,
}

impl Mechanisms {
    /// Those of the host itself, with the list in this folder.
    #[must_use]
    pub fn of_host(state_dir: &Path) -> Self {
        Self {
            list: List::unread(state_dir),
            files: Groups::Files(Etc::of_host()),
            userdb: Groups::Userdb(Userdb::of_host()),
            sudo: SudoRules::of_host(),
            polkit: Arc::new(PolkitRules::of_host()),
            nsswitch: "/etc/nsswitch.conf".into(),
            own_rules: BTreeMap::new(),
            nscd: "/run/nscd/socket".into(),
            stale: false,
        }
    }

    /// Reads the list, by whoever holds the lock; what cannot be read of it is returned.
    pub(super) fn read_list(&mut self) -> Vec<String> {
        self.list.reread()
    }

    /// What the list says.
    pub(super) fn listed(&self) -> &Applied {
        self.list.said()
    }

    /// Has the list say this and nothing else.
    ///
    /// # Errors
    /// [`ListError`] when it cannot be written.
    pub(super) fn list(&mut self, applied: Applied) -> Result<(), ListError> {
        self.list.set(applied)
    }

    /// The same, with its moment renewed however old it is.
    ///
    /// # Errors
    /// [`ListError`] when it cannot be written.
    pub(super) fn list_now(&mut self, applied: Applied) -> Result<(), ListError> {
        self.list.renew(applied)
    }

    /// Brings the host to what is desired. What stint owns is made durable before it takes effect,
    /// and listed where it is found without the state. What cannot be listed is not applied; what
    /// is to be taken back is taken back all the same.
    /// `ruled` is told when the rules have been seen to, which nobody's locks hold up.
    pub(super) fn bring_about(
        &mut self,
        mut desired: Desired,
        owned: &BTreeSet<Membership>,
        store: &Store,
        ruled: &Notify,
    ) -> Report {
        let mut report = Report::default();
        if let Err(error) = self.list.add(&desired.applied) {
            let said = self.list.said();
            let is_listed = |id: &GrantId| said.grants.get(id) == desired.applied.grants.get(id);
            desired.sudo.retain(|entry| is_listed(&entry.grant));
            desired.polkit.retain(|entry| is_listed(&entry.grant));
            let is_owned = |(user, group): &Pair| {
                owned.iter().any(|own| own.user == *user && own.group == *group)
            };
            desired.memberships.retain(is_owned);
            report.failures.push(unlisted(&error));
        }
        // The rules first: they wait for nobody's lock.
        self.bring_sudo(&desired, &mut report);
        self.bring_polkit(&desired, &mut report);
        ruled.notify_one();
        self.bring_groups(&desired, owned, store, &mut report);
        self.tell_caches(&mut report);
        report
    }

    fn bring_groups(
        &mut self,
        desired: &Desired,
        owned: &BTreeSet<Membership>,
        store: &Store,
        report: &mut Report,
    ) {
        let nsswitch = std::fs::read_to_string(&self.nsswitch).unwrap_or_default();
        let chosen = match choose(desired.backend, &nsswitch) {
            Ok(Asked::Userdb) => Some(Backend::Userdb),
            Ok(Asked::Files | Asked::Auto) => Some(Backend::Files),
            Err(error) => {
                report.failures.extend(desired.memberships.iter().map(|(user, group)| Failure {
                    about: About::Giving(user.clone(), group.clone()),
                    text: error.to_string(),
                }));
                None
            }
        };
        report.backend = chosen;
        // The backend that is not chosen only gives back what it still holds, and does so first:
        // the other would take what it finds for standing.
        let mut backends = [Backend::Files, Backend::Userdb];
        backends.sort_by_key(|backend| chosen == Some(*backend));
        for backend in backends {
            let wanted = match chosen {
                Some(chosen) if chosen == backend => desired.memberships.clone(),
                _ => BTreeSet::new(),
            };
            let held: BTreeSet<Pair> = owned
                .iter()
                .filter(|membership| membership.backend == backend)
                .map(|membership| (membership.user.clone(), membership.group.clone()))
                .collect();
            if wanted.is_empty() && held.is_empty() {
                continue;
            }
            self.bring_members(backend, &wanted, &held, desired, store, report);
        }
    }

    /// Brings one backend from what it holds to what is wanted of it.
    fn bring_members(
        &mut self,
        backend: Backend,
        wanted: &BTreeSet<Pair>,
        held: &BTreeSet<Pair>,
        desired: &Desired,
        store: &Store,
        report: &mut Report,
    ) {
        let groups = match backend {
            Backend::Files => &self.files,
            Backend::Userdb => &self.userdb,
        };
        let list = &mut self.list;
        let mut intention = Intention { backend, desired, store, list, made: Vec::new() };
        let mut failed = false;
        let intend = &mut |changes: &[Change]| {
            let done = intention.take(changes);
            failed = done.is_err();
            done
        };
        let seen = desired.seen.iter().filter(|membership| membership.backend == backend);
        let seen = seen.map(|own| (own.user.clone(), own.group.clone())).collect();
        let done = groups.bring_about(wanted, held, &seen, intend);
        report.intended.append(&mut intention.made);
        take_in(backend, done, desired, store, report);
        if failed {
            // What cannot be given must not keep what is over.
            let over: BTreeSet<Pair> = held.difference(wanted).cloned().collect();
            let is_tried_again = |about: &About| {
                matches!(about, About::TakingBack(user, group)
                    if over.contains(&(user.clone(), group.clone())))
            };
            report.failures.retain(|failure| !is_tried_again(&failure.about));
            let done = groups.bring_about(&BTreeSet::new(), &over, &seen, &mut |_| Ok(()));
            take_in(backend, done, desired, store, report);
        }
    }

    fn bring_sudo(&mut self, desired: &Desired, report: &mut Report) {
        let (found, removed) = self.rules_found(desired);
        let ruled = desired.sudo.iter().filter(|own| !removed.contains(&own.grant));
        let entries: Vec<SudoEntry<'_>> = ruled.map(SudoGrant::entry).collect();
        let done = self.sudo.bring_about(&entries);
        let made = done.is_ok().then(|| {
            let ruled = entries.iter().map(|entry| entry.grant.clone()).collect();
            (self.sudo.look(), ruled)
        });
        if made.is_some() {
            self.left(SUDO_RULE_FILE, self.sudo.in_place());
        }
        report.rules = RulesSeen { found, removed, made };
        match done {
            Ok(SudoOutcome::Unchanged) => {}
            Ok(SudoOutcome::Written) => {
                let count = counted(entries.len(), "grant");
                report.sudo_rules = Some(format!("the sudo rules of {count} are in force"));
            }
            Ok(SudoOutcome::Removed) => {
                report.sudo_rules = Some("no grant has sudo rules; the file is gone".to_owned());
            }
            Err(error) => {
                report.failures.push(Failure { about: About::SudoRules, text: error.to_string() })
            }
        }
    }

    fn bring_polkit(&mut self, desired: &Desired, report: &mut Report) {
        let done = self.polkit.bring_about(&desired.polkit);
        if done.is_ok() {
            self.left(POLKIT_RULE_FILE, self.polkit.in_place());
        }
        match done {
            Ok(PolkitOutcome::Unchanged) => {}
            Ok(PolkitOutcome::Written) => {
                let count = counted(desired.polkit.len(), "grant");
                report.polkit_rules = Some(format!("the polkit rules of {count} are in force"));
            }
            Ok(PolkitOutcome::Removed) => {
                let text = "no grant has polkit actions; the file is gone";
                report.polkit_rules = Some(text.to_owned());
            }
            Err(error) => {
                report.failures.push(Failure { about: About::PolkitRules, text: error.to_string() })
            }
        }
    }

    /// The polkit rule file, for whoever has polkit forget what it knew by rules that are gone.
    pub(super) fn polkit(&self) -> Arc<PolkitRules> {
        Arc::clone(&self.polkit)
    }

    /// Notes how a file of stint's own was left: like this, or not there at all.
    fn left(&mut self, path: &str, found: Option<FileStat>) {
        match found {
            Some(stat) => self.own_rules.insert(path.to_owned(), Mark::of_file(&stat)),
            None => self.own_rules.remove(path),
        };
    }

    /// The files of the host that are stint's own, as it has left them.
    pub(super) fn own_files(&self) -> BTreeMap<String, Mark> {
        self.own_rules.clone()
    }

    /// Clears what sudo, sudo-rs and doas remember of these people.
    pub(super) fn clear_tickets(&self, holders: &BTreeSet<(UserName, Uid)>) -> Option<Failure> {
        let error = tickets::clear(holders).err()?;
        Some(Failure { about: About::Tickets, text: error.to_string() })
    }

    /// Asks sudo's checkers whether they can read these roles' rules. A host without sudo has none,
    /// and no rules to be read either.
    ///
    /// # Errors
    /// [`BadRules`].
    pub(super) fn try_rules(&self, roles: &[&Role]) -> Result<(), BadRules> {
        let sample = |role: &&Role| -> Result<SudoGrant, stint_proto::BadName> {
            Ok(SudoGrant {
                uid: Uid(65_534),
                user: "nobody".parse()?,
                grant: "2222".parse()?,
                expires_at: Timestamp::from_micros(0),
                role: (*role).clone(),
            })
        };
        let samples: Vec<SudoGrant> = roles
            .iter()
            .map(sample)
            .collect::<Result<_, _>>()
            .map_err(|error| BadRules::Untried(error.to_string()))?;
        let entries: Vec<SudoEntry<'_>> = samples.iter().map(SudoGrant::entry).collect();
        match self.sudo.check(&entries) {
            Err(SudoRuleError::NoChecker) | Ok(()) => Ok(()),
            Err(error @ SudoRuleError::Refused { .. }) => Err(BadRules::Wrong(error.to_string())),
            Err(error @ (SudoRuleError::File { .. } | SudoRuleError::Check(_))) => {
                Err(BadRules::Untried(error.to_string()))
            }
        }
    }
}

fn owned_by(backend: Backend, (user, group): Pair) -> Membership {
    Membership { user, group, backend }
}

/// Makes ownership durable before a membership takes effect: what is added here is stint's to take
/// back, even if the daemon dies before it has seen that it worked.
struct Intention<'a> {
    backend: Backend,
    desired: &'a Desired,
    store: &'a Store,
    list: &'a mut List,
    made: Vec<Membership>,
}

impl Intention<'_> {
    fn take(&mut self, changes: &[Change]) -> Result<(), String> {
        let added = changes.iter().filter(|change| change.action == Action::Add);
        let added: Vec<&Pair> = added.map(|change| &change.membership).collect();
        if added.is_empty() {
            return Ok(());
        }
        let Self { backend, desired, store, list, made } = self;
        let mut writes = Vec::new();
        let mut listed = Applied { mark: desired.applied.mark.clone(), ..Applied::default() };
        for pair in added {
            let membership = owned_by(*backend, pair.clone());
            writes.push(Write::Owned(membership.clone()));
            // What is known of earlier stays where nobody has looked now: stint gave it itself then.
            let carried = desired.carried.get(pair).cloned();
            if let Some(carried) = carried.clone() {
                writes.push(Write::Carriers(membership.clone(), carried));
            }
            let grants = desired.conferred_by.get(pair).cloned().unwrap_or_default();
            let given = Given { grants, carried: carried.unwrap_or_default() };
            listed.members.insert(membership.clone(), given);
            made.push(membership);
        }
        list.add(&listed).map_err(|error| error.to_string())?;
        store.change_blocking(writes).map_err(|error| error.to_string())
    }
}

/// That the list does not say what it should.
pub(super) fn unlisted(error: &ListError) -> Failure {
    let text = format!(
        "what is given cannot be listed for stint-sweep, so nothing new is granted: {error}"
    );
    Failure { about: About::List, text }
}

fn take_in(
    backend: Backend,
    done: GroupReport,
    desired: &Desired,
    store: &Store,
    report: &mut Report,
) {
    let GroupReport { added, found, missing, removed, standing: _, failed } = done;
    let eviction = |(user, group): &Pair| {
        let Manner { leave, grace } = desired.manners.get(group).copied().unwrap_or_default();
        let uid = desired.numbers.get(user).copied();
        let of = EvictionOf::Group { group: group.clone(), uid };
        Eviction { of, user: user.clone(), leave, grace }
    };
    let evictions: Vec<Eviction> = removed.iter().map(eviction).collect();
    // With what they are owed for, in one transaction: a crash after it forgets nobody.
    let mut gone: Vec<Write> =
        removed.iter().map(|pair| Write::Disowned(owned_by(backend, pair.clone()))).collect();
    gone.extend(evictions.iter().cloned().map(Write::EvictionOwed));
    report.evictions.extend(evictions);
    if !gone.is_empty() && store.change_blocking(gone.clone()).is_err() {
        // Owned on paper, gone in truth: to be written before anybody gives it anew.
        report.unsaved.extend(gone);
    }
    report.found.extend(found.into_iter().map(|pair| owned_by(backend, pair)));
    report.missing.extend(missing.into_iter().map(|pair| owned_by(backend, pair)));
    report.added.extend(added.into_iter().map(|pair| owned_by(backend, pair)));
    report.removed.extend(removed.into_iter().map(|pair| owned_by(backend, pair)));
    report.failures.extend(failed.into_iter().map(|((user, group), action, why)| {
        let (about, text) = match action {
            Action::Add | Action::Keep => (
                About::Giving(user.clone(), group.clone()),
                format!("{user} could not be put into {group}: {why}"),
            ),
            Action::Remove => (
                About::TakingBack(user.clone(), group.clone()),
                format!("{user} is still in {group}: {why}"),
            ),
        };
        Failure { about, text }
    }));
}
