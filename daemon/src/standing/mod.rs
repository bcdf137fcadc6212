//! What is held on a host with no end, and amounts to root: read from the host's own files, and from
//! sudo's own converter. Changes nothing, decides nothing, and knows no grants but as what stint
//! itself has given and is therefore not standing.

mod admins;
mod by_group;
mod by_rule;
mod files;
mod groups;
mod host;
mod keys;
mod of_root;
mod programs;
mod sudoers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use stint_policy::text::harmless;
use stint_proto::{StandingEnd, StandingKind, StandingPrivilege, StandingWeight, Timestamp, Uid};

use crate::residue::Program;
use host::Host;

/// The most that one look names.
const MOST: usize = 5_000;
/// The most characters of a rule that are shown.
const RULE: usize = 2_000;

/// Where to look, and what is known already.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Where the host's files are.
    pub root: PathBuf,
    /// Where its homes, and programs anywhere, are: a hardened unit does not see them at `/`.
    pub homes: PathBuf,
    /// The host's name.
    pub host: String,
    /// Who is in which group by a grant.
    pub owned: BTreeSet<(String, String)>,
    /// The programs that bring root's rights.
    pub programs: Vec<Program>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is held; since when is left open.
    pub held: Vec<StandingPrivilege>,
    /// What could not be read, a line each.
    pub unseen: Vec<String>,
    /// How root gets in.
    pub ways_of_root: Vec<String>,
    /// Who is in which group, of those that policies name.
    members: BTreeMap<String, BTreeSet<String>>,
    accounts: BTreeSet<String>,
}

impl Found {
    /// Whether there is such an account in the host's own files.
    #[must_use]
    pub fn has_account(&self, name: &str) -> bool {
        self.accounts.contains(name)
    }

    /// Who stands in a group.
    pub fn members(&self, group: &str) -> impl Iterator<Item = &str> {
        self.members.get(group).into_iter().flatten().map(String::as_str)
    }
}

/// What somebody holds is known again by this, at the next look too.
#[must_use]
pub fn key(held: &StandingPrivilege) -> String {
    let rule = held.rule.as_deref().unwrap_or_default();
    let path = held.path.as_deref().unwrap_or_default();
    let how = if held.rule.is_some() { "" } else { &held.how };
    [held.kind.as_str(), &held.who, path, how, rule].join("\u{1f}")
}

/// Looks. Waits for disks and for the name service: to be called where waiting is allowed.
#[must_use]
pub fn look(sight: &Sight) -> Found {
    let mut found = Found::default();
    let host = Host::read(&sight.root, &sight.owned, &mut found.unseen);
    let rules = sudoers::read(&sight.root, &sight.host);
    found.unseen.extend(rules.notes.iter().cloned());
    let is_root_group =
        |name: &str| groups::known(name).is_some_and(|(weight, _)| weight == StandingWeight::Root);
    let judge = sudoers::Judge::new(&rules, &sight.host, &is_root_group);
    let gives = judge.gives();
    found.held.extend(by_rule::sudo(&host, &judge, &gives));
    let mut admins = admins::doas(&sight.root, &mut found.unseen);
    found.held.extend(by_rule::named(&host, &admins, StandingKind::Doas));
    let polkit = admins::polkit(&sight.root, &mut found.unseen);
    found.held.extend(by_rule::named(&host, &polkit, StandingKind::Polkit));
    admins.extend(polkit);
    let has_wheel = host.group("wheel").is_some();
    admins.extend(admins::su(&sight.root, has_wheel, &mut found.unseen));
    found.held.extend(by_group::members(&host, &judge, &gives, &admins));
    of_root::look(sight, &host, &mut found);
    for (program, judged) in programs::judge(&sight.homes, &sight.programs) {
        found.held.push(by_rule::program(&host, program, judged));
    }
    found.accounts = host.accounts.iter().map(|account| account.name.clone()).collect();
    for group in &host.groups {
        let members = host.members(group).into_iter().map(|(name, _)| name).collect();
        found.members.insert(group.name.clone(), members);
    }
    found.in_order();
    found
}

impl Found {
    /// By holder, what goes furthest first; each once, and not more than can be shown.
    fn in_order(&mut self) {
        let place = |held: &StandingPrivilege| {
            (held.uid.is_none(), held.uid.map(|uid| uid.0), held.who.clone(), held.weight)
        };
        self.held.sort_by(|one, other| {
            let by = |held| (place(held), held.kind, held.how.clone());
            by(one).cmp(&by(other))
        });
        let mut known = BTreeSet::new();
        self.held.retain(|held| known.insert(key(held)));
        if self.held.len() > MOST {
            let more = self.held.len() - MOST;
            self.unseen.push(format!("{more} more privileges than one answer names"));
            self.held.truncate(MOST);
        }
        // Names of files and words of rules are other people's.
        for line in &mut self.unseen {
            *line = harmless(line);
        }
    }
}

/// One privilege, to be told more about.
fn privilege(
    kind: StandingKind,
    weight: StandingWeight,
    who: &str,
    how: String,
    why: String,
) -> StandingPrivilege {
    StandingPrivilege {
        kind,
        weight,
        counts: weight != StandingWeight::Unknown,
        who: who.to_owned(),
        uid: None,
        person: false,
        how,
        why: vec![why],
        since: Timestamp(0),
        end: StandingEnd::ByHand,
        by_hand: String::new(),
        group: None,
        path: None,
        line: None,
        rule: None,
        principals: Vec::new(),
        instead: None,
        nopasswd: false,
    }
}

/// Says whose it is.
fn held_by(held: &mut StandingPrivilege, host: &Host, name: &str) {
    let account = host.account(name);
    held.person = account.as_ref().is_some_and(|account| host.is_person(account));
    held.uid = account.map(|account| Uid(account.uid));
    if held.uid.is_none() {
        held.counts = false;
        held.why.push("no account has this name now".to_owned());
    }
}

/// Says in which rule it is written.
fn written_at(held: &mut StandingPrivilege, at: &sudoers::At) {
    held.path = Some(at.path.clone());
    held.line = Some(at.line);
    held.rule = Some(at.text.chars().take(RULE).collect());
}

/// For a command that can be typed.
fn shown(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=%,".contains(c);
    let is_plain = !path.is_empty() && path.chars().all(plain) && !path.starts_with('-');
    if is_plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The host's own root.
#[must_use]
pub fn of_host(host: &str, owned: BTreeSet<(String, String)>, programs: Vec<Program>) -> Sight {
    Sight {
        root: Path::new("/").to_owned(),
        homes: Path::new("/proc/1/root").to_owned(),
        host: host.to_owned(),
        owned,
        programs,
    }
}

#[cfg(test)]
mod tests;
