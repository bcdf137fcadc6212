//! A policy as it is in force: validated values, each with its place in the files. Knows nothing
//! of TOML, and reads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use stint_proto::{BadName, GroupName, Length, RoleName, ServiceName, Timestamp, Uid, UserName};

use crate::{
    Approvals, Backend, Gate, HostPattern, Hours, Notify, OnExpiry, PolkitAction, Remote, Requests,
    Retention, SudoRule, TicketRule, text,
};

/// A line of a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The file, as it was named when it was read.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
}

/// `/etc/stint/policy.toml:14`, harmless on a terminal.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", text::harmless(&self.path), self.line)
    }
}

/// Whom an entry of `eligible`, `approvers`, `exempt` or `readers` names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// One account.
    User(UserName),
    /// Every standing member of a group; written `%group`.
    Group(GroupName),
}

impl Principal {
    /// Whether somebody of this name and with these standing groups is meant.
    #[must_use]
    pub fn matches(&self, user: &UserName, groups: &BTreeSet<GroupName>) -> bool {
        match self {
            Self::User(name) => name == user,
            Self::Group(name) => groups.contains(name),
        }
    }
}

impl FromStr for Principal {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        match text.strip_prefix('%') {
            Some(group) => group.parse().map(Self::Group),
            None => text.parse().map(Self::User),
        }
    }
}

/// As it is written: `alice`, `%engineers`.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.pad(name.as_str()),
            Self::Group(name) => f.pad(&format!("%{name}")),
        }
    }
}

/// What a request has to say for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonRule {
    /// Whether there must be a reason at all.
    pub required: bool,
    /// How many characters it has at least, if there is one.
    pub min_length: u32,
}

/// A named privilege: what it confers, on whom, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What the policy says of it.
    pub description: String,
    /// What it lets its holder run by sudo.
    pub sudo: Vec<SudoRule>,
    /// Groups that its holder is in.
    pub groups: Vec<GroupName>,
    /// Every service that it opens: those named, and sudo's own if it has sudo rules.
    pub services: BTreeSet<ServiceName>,
    /// polkit actions that its holder may do.
    pub polkit: Vec<PolkitAction>,
    /// Hosts on which it exists; every host if empty.
    pub hosts: Vec<HostPattern>,
    /// Who may ask for it.
    pub eligible: Vec<Principal>,
    /// Who may approve of it.
    pub approvers: Vec<Principal>,
    /// How many approvals a request needs.
    pub approvals: u32,
    /// The longest grant.
    pub max_duration: Length,
    /// The usual grant.
    pub default_duration: Length,
    /// What a request has to say for itself.
    pub reason: ReasonRule,
    /// What a request's ticket looks like; none is asked for if absent.
    pub ticket: Option<TicketRule>,
    /// When it may be asked for; always if absent.
    pub hours: Option<Hours>,
    /// How long after a grant's end the next may begin.
    pub cooldown: Option<Length>,
    /// How much of it one user may have in a day.
    pub daily_budget: Option<Length>,
    /// How many may hold it at once.
    pub max_active: Option<u32>,
    /// Whether sudo and polkit still ask for the password.
    pub password: bool,
    /// Whether sudo records what goes in and out.
    pub record: bool,
    /// What becomes of its sessions at the end.
    pub on_expiry: OnExpiry,
    /// How long before the end its sessions are warned, longest first.
    pub warn_before: Vec<Length>,
    /// How long a session has between the polite signal and the other one.
    pub grace: Length,
    /// Whether it is for emergencies.
    pub break_glass: bool,
    /// Whether a signed policy has brought it.
    pub signed: bool,
    /// Where it begins.
    pub at: Position,
    /// Where each of its keys stands.
    pub(crate) places: BTreeMap<&'static str, Position>,
    /// Where each entry of `eligible` stands.
    pub(crate) eligible_places: BTreeMap<Principal, Position>,
}

impl Role {
    /// Whether it opens this service.
    #[must_use]
    pub fn opens(&self, service: &ServiceName) -> bool {
        self.services.contains(service)
    }

    /// Whether it exists on this host, named short or full.
    #[must_use]
    pub fn on_host(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host))
    }

    /// Where one of its keys stands (`max_duration`); where the role begins if it is not written.
    #[must_use]
    pub fn place(&self, key: &str) -> &Position {
        self.places.get(key).unwrap_or(&self.at)
    }

    /// Where an entry of `eligible` stands.
    #[must_use]
    pub fn eligible_place(&self, entry: &Principal) -> &Position {
        self.eligible_places.get(entry).unwrap_or_else(|| self.place("eligible"))
    }

    /// Whether one of its keys is written.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// The tags before the commands in sudoers: empty, or with a blank at the end.
    #[must_use]
    pub const fn sudo_tags(&self) -> &'static str {
        match (self.password, self.record) {
            (true, false) => "",
            (false, false) => "NOPASSWD: ",
            (true, true) => "LOG_INPUT: LOG_OUTPUT: ",
            (false, true) => "NOPASSWD: LOG_INPUT: LOG_OUTPUT: ",
        }
    }

    /// Its sudo rules as sudoers would write them, without user and host:
    /// `(root) NOPASSWD: /usr/bin/id`.
    #[must_use]
    pub fn sudo_lines(&self) -> Vec<String> {
        let line = |rule: &SudoRule| {
            format!("({}) {}{}", rule.run_as, self.sudo_tags(), rule.commands_to_sudoers())
        };
        self.sudo.iter().map(line).collect()
    }

    /// What its holder gets, a line each, for an approver to read: `sudo (root) NOPASSWD: ALL`,
    /// `group docker`, `opens su`, `polkit ACTION`. That sudo rules open sudo goes without saying.
    #[must_use]
    pub fn confers(&self) -> Vec<String> {
        let implied = |service: &&ServiceName| {
            !self.sudo.is_empty() && stint_proto::SUDO_SERVICES.contains(&service.as_str())
        };
        let services = self.services.iter().filter(|service| !implied(service));
        let mut lines: Vec<String> =
            self.sudo_lines().iter().map(|line| format!("sudo {line}")).collect();
        lines.extend(self.groups.iter().map(|group| format!("group {group}")));
        lines.extend(services.map(|service| format!("opens {service}")));
        lines.extend(self.polkit.iter().map(|action| format!("polkit {action}")));
        lines
    }

    /// How many approvals a request needs: none for emergencies, whatever else is written.
    #[must_use]
    pub const fn approvals_needed(&self) -> u32 {
        if self.break_glass { 0 } else { self.approvals }
    }
}

/// A `[[grants]]` entry: held from the file, with no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldGrant {
    /// Who holds it.
    pub user: UserName,
    /// What.
    pub role: RoleName,
    /// From when.
    pub from: Timestamp,
    /// Until when; later than `from`.
    pub until: Timestamp,
    /// What for.
    pub reason: String,
    /// Whether a signed policy has brought it.
    pub signed: bool,
    /// Where it begins.
    pub at: Position,
}

impl HeldGrant {
    /// Which grant it is, whatever its reason and its place in the files: the same text at every
    /// load, and no other entry has it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{} {} {} {}", self.user, self.role, self.from.micros(), self.until.micros())
    }
}

/// Everything that the policy files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// `[gate]`.
    pub gate: Gate,
    /// Who may read the record.
    pub audit_readers: Vec<Principal>,
    /// How long the record is kept; for ever if absent.
    pub audit_keep: Option<Retention>,
    /// Whether this host signs how far its record has come.
    pub audit_sign: bool,
    /// `[requests]`.
    pub requests: Requests,
    /// `[approvals]`.
    pub approvals: Approvals,
    /// `[notify]`.
    pub notify: Notify,
    /// `[remote]`; without it the host takes no signed documents.
    pub remote: Option<Remote>,
    /// How memberships are given.
    pub backend: Backend,
    /// Every role, those of other hosts too.
    pub roles: BTreeMap<RoleName, Role>,
    /// What is held from the files on this host.
    pub grants: Vec<HeldGrant>,
}

/// Whom a question is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// By name.
    pub user: &'a UserName,
    /// By number.
    pub uid: Uid,
    /// The groups in which they stand without stint.
    pub groups: &'a BTreeSet<GroupName>,
}

/// The roles that would open a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaysIn<'a> {
    /// Those for which the subject is eligible.
    pub eligible: Vec<&'a Role>,
    /// The others.
    pub others: Vec<&'a Role>,
}

impl Policy {
    /// The entry that makes the subject eligible for the role.
    #[must_use]
    pub fn eligible_by<'a>(&self, role: &'a Role, subject: Subject<'_>) -> Option<&'a Principal> {
        role.eligible.iter().find(|entry| entry.matches(subject.user, subject.groups))
    }

    /// The entry that makes the subject an approver of the role.
    #[must_use]
    pub fn approver_by<'a>(&self, role: &'a Role, subject: Subject<'_>) -> Option<&'a Principal> {
        role.approvers.iter().find(|entry| entry.matches(subject.user, subject.groups))
    }

    /// The entry that lets the subject read the record.
    #[must_use]
    pub fn audit_reader_by(&self, subject: Subject<'_>) -> Option<&Principal> {
        self.audit_readers.iter().find(|entry| entry.matches(subject.user, subject.groups))
    }

    /// The entry that lets the subject pass the gate without a grant. Root passes without one.
    #[must_use]
    pub fn exempt_by(&self, subject: Subject<'_>) -> Option<&Principal> {
        self.gate.exempt.iter().find(|entry| entry.matches(subject.user, subject.groups))
    }

    /// The roles that exist on this host, by name.
    pub fn roles_here<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Role> + 'a {
        self.roles.values().filter(move |role| role.on_host(host))
    }

    /// The role of this name, if it exists on this host.
    #[must_use]
    pub fn role_here(&self, name: &RoleName, host: &str) -> Option<&Role> {
        self.roles.get(name).filter(|role| role.on_host(host))
    }

    /// The roles that would open the service here, by name.
    #[must_use]
    pub fn ways_in<'a>(
        &'a self,
        service: &ServiceName,
        host: &'a str,
        subject: Subject<'_>,
    ) -> WaysIn<'a> {
        let opening = self.roles_here(host).filter(|role| role.opens(service));
        let (eligible, others) =
            opening.partition(|role| self.eligible_by(role, subject).is_some());
        WaysIn { eligible, others }
    }

    /// Entries of `[[grants]]` that are over already: no error, but worth a word.
    pub fn past_grants(&self, now: Timestamp) -> impl Iterator<Item = &HeldGrant> {
        self.grants.iter().filter(move |grant| grant.until <= now)
    }
}
