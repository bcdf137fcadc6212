//! Every key of the policy, once: the reader, the schema for editors and the man page are all
//! driven by this table, so that none of them knows a key that the others do not.

use crate::{Backend, GateMode, Offline, OnExpiry};

pub use crate::schema::schema;

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A table.
    Table,
    /// A list of tables.
    Tables,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number within bounds, both included.
    Number {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// `true` or `false`.
    Flag,
    /// A duration in text: `1h30m`.
    Duration,
    /// A number of days in text: `400d`.
    Days,
    /// A list of durations.
    Durations,
    /// A list of texts.
    Texts,
    /// A date and time with its zone.
    Time,
}

impl Kind {
    /// The word for it in the manual.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Tables => "list of tables",
            Self::Text => "text",
            Self::Word(_) => "word",
            Self::Number { .. } => "whole number",
            Self::Flag => "true or false",
            Self::Duration => "duration",
            Self::Days => "number of days",
            Self::Durations => "list of durations",
            Self::Texts => "list of texts",
            Self::Time => "date and time",
        }
    }

    /// What is said of a value that is something else, after the value itself.
    #[must_use]
    pub const fn denial(self) -> &'static str {
        match self {
            Self::Table => "is no table",
            Self::Tables => "is no list of tables",
            Self::Text | Self::Word(_) => "is no text",
            Self::Number { .. } => "is no whole number",
            Self::Flag => "is neither true nor false",
            Self::Duration => "is no duration",
            Self::Days => "is no number of days",
            Self::Durations => "is no list of durations",
            Self::Texts => "is no list of texts",
            Self::Time => "is no date and time",
        }
    }
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its full name; `NAME` stands for a role's name.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether its table is nothing without it.
    pub required: bool,
    /// What holds where it is not written, in words or as it would be written.
    pub default: &'static str,
    /// What it is for, in one or two sentences.
    pub doc: &'static str,
    /// A value, as it is written.
    pub example: &'static str,
}

impl Key {
    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The path of its table; empty for a table at the top.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.path.rsplit_once('.').map_or("", |(table, _)| table)
    }
}

pub(crate) const fn key(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    example: &'static str,
) -> Key {
    Key { path, kind, required: false, default, doc: "", example }
}

impl Key {
    pub(crate) const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// The most approvals that a role may ask for.
pub const APPROVALS_LIMIT: u32 = 16;
/// The most holders at once that a role may name.
pub const ACTIVE_LIMIT: u32 = 100_000;

/// The most pending requests that one user may be allowed.
pub const PENDING_PER_USER_LIMIT: u32 = 100;
/// The most pending requests that a host may be allowed.
pub const PENDING_LIMIT: u32 = 100_000;

static KEYS: &[Key] = &[
    key("gate", Kind::Table, "", "[gate]")
        .doc("What the gate does. It may stand in several files, each key in one of them."),
    key("gate.mode", Kind::Word(GateMode::WORDS), "\"enforce\"", "\"observe\"")
        .doc("\"enforce\" denies whoever holds no grant; \"observe\" lets them in and logs what would have been denied."),
    key("gate.exempt", Kind::Texts, "[]", "[\"%ops-emergency\"]")
        .doc("Users and %groups who pass the gate without a grant. It is written into the PAM files themselves, so it holds while stintd is dead; root passes always."),
    key("gate.prompt", Kind::Flag, "false", "true")
        .doc("true: who is denied at a terminal, and may ask for what is missing, is asked what for there and then. It is written into the PAM files themselves."),
    key("audit", Kind::Table, "", "[audit]")
        .doc("Who may read the record, how long it is kept, and whether its checkpoints are signed."),
    key("audit.readers", Kind::Texts, "[]", "[\"%auditors\"]")
        .doc("Users and %groups who may read the record and the reviews, and change nothing."),
    key("audit.keep", Kind::Days, "for ever", "\"400d\"")
        .doc("How long the record is kept, from 30d to 36500d. What is older is cut off once a day, by whole links from the beginning, and a link that stays says what was cut. Grants and requests themselves are kept."),
    key("audit.sign", Kind::Flag, "false", "true")
        .doc("true: this host signs its checkpoints, which say in the log how far the record has come, with a key of its own in /var/lib/stint/checkpoint.key. stint audit key prints the public half."),
    key("requests", Kind::Table, "", "[requests]").doc("How requests are kept."),
    key("requests.lapse_after", Kind::Duration, "\"24h\"", "\"8h\"")
        .doc("How long a request may be pending before it lapses. One for a later time lapses when that comes."),
    key("requests.max_pending_per_user", Kind::Number { min: 1, max: PENDING_PER_USER_LIMIT }, "5", "3")
        .doc("How many pending requests one user may have."),
    key("requests.max_pending", Kind::Number { min: 1, max: PENDING_LIMIT }, "1000", "200")
        .doc("How many pending requests there may be on a host."),
    key("approvals", Kind::Table, "", "[approvals]").doc("How approvals are given."),
    key("approvals.authenticate", Kind::Flag, "true", "false")
        .doc("Whether approvers authenticate for each decision, as polkit asks them to; false: polkit is not asked."),
    key("notify", Kind::Table, "", "[notify]").doc("How people get to know."),
    key("notify.terminals", Kind::Flag, "true", "false")
        .doc("Whether approvers and requesters are told on the terminals where they are logged in."),
    key("groups", Kind::Table, "", "[groups]").doc("How group memberships are given."),
    key("groups.backend", Kind::Word(Backend::WORDS), "\"auto\"", "\"files\"")
        .doc("\"files\" writes /etc/group and /etc/gshadow; \"userdb\" writes drop-ins in /run/userdb, which nss-systemd reads; \"auto\" takes whichever the host can do."),
    key("remote", Kind::Table, "", "[remote]")
        .doc("What signed documents may do on this host. Without it, nothing; who may sign stands in /etc/stint/allowed_signers."),
    key("remote.roles", Kind::Texts, "[]", "[\"containers\"]")
        .doc("Roles of this host's own policy that a signed document may give; * stands for any letters."),
    key("remote.define", Kind::Texts, "[]", "[\"fleet-*\"]")
        .doc("Names under which a signed policy may bring roles of its own, and give them. What such a role confers is up to who signs it. A role of this host's own is never replaced."),
    key("remote.approvals", Kind::Texts, "[]", "[\"admin\", \"fleet-*\"]")
        .doc("Roles whose requests may be approved and denied by signed approvals, which people sign on other hosts; each still has to be an approver of the role here. polkit asks for no password then: the signature is the proof."),
    key("remote.max_age", Kind::Duration, "as it says itself", "\"7d\"")
        .doc("How long after its own beginning a signed policy is current at the most."),
    key("remote.offline", Kind::Word(Offline::WORDS), "\"running\"", "\"nothing\"")
        .doc("What goes on of signed documents once the signed policy is no longer current: \"running\" grants to their ends and nothing new; \"new\" ones too, for as long as offline_for says; or \"nothing\"."),
    key("remote.offline_for", Kind::Duration, "", "\"24h\"")
        .doc("For how long new grants go on, with offline = \"new\"."),
    key("remote.publish", Kind::Flag, "false", "true")
        .doc("Whether stint-sync publishes this host's requests, what came of them, and its grants in the store of the fleet, where whoever may read there sees them: who asks for what and why."),
    key("roles", Kind::Table, "", "[roles.admin]")
        .doc("One table a role: roles.NAME. A name has small letters, digits and '-'."),
    key("roles.NAME.description", Kind::Text, "\"\"", "\"Anything as root\"")
        .doc("What the role is for, in a few words."),
    key("roles.NAME.sudo", Kind::Tables, "[]", "[{ run_as = \"root\", commands = [\"ALL\"] }]")
        .doc("What its holder may run by sudo. A role with sudo rules opens the services sudo and sudo-i."),
    key("roles.NAME.sudo.run_as", Kind::Text, "\"root\"", "\"postgres\"")
        .doc("As whom: an account, or ALL."),
    key("roles.NAME.sudo.commands", Kind::Texts, "", "[\"/usr/bin/systemctl restart nginx\"]")
        .doc("ALL, or absolute paths, each alone (any arguments), with its exact arguments, or with \"\" (no arguments). No wildcards.")
        .required(),
    key("roles.NAME.groups", Kind::Texts, "[]", "[\"docker\"]")
        .doc("Groups that its holder is in."),
    key("roles.NAME.services", Kind::Texts, "[]", "[\"su\"]")
        .doc("PAM services that it opens, besides those that sudo rules open."),
    key("roles.NAME.polkit", Kind::Texts, "[]", "[\"org.freedesktop.systemd1.manage-units\"]")
        .doc("polkit actions that its holder may do, by their exact ids. polkit does not know what an action is done to: whoever may manage units is root."),
    key("roles.NAME.hosts", Kind::Texts, "every host", "[\"web-*\"]")
        .doc("Hosts on which the role exists, by short or full name; * stands for any characters, ? for one."),
    key("roles.NAME.eligible", Kind::Texts, "[]", "[\"%engineers\", \"alice\"]")
        .doc("Users and %groups who may ask for it. Only standing membership counts."),
    key("roles.NAME.approvers", Kind::Texts, "[]", "[\"%leads\"]")
        .doc("Users and %groups who may approve of a request."),
    key("roles.NAME.approvals", Kind::Number { min: 0, max: APPROVALS_LIMIT }, "1", "2")
        .doc("How many approvals of different people a request needs, never the requester's own; 0: none, a reason will do."),
    key("roles.NAME.max_duration", Kind::Duration, "\"24h\"", "\"4h\"").doc("The longest grant."),
    key("roles.NAME.default_duration", Kind::Duration, "\"30m\", or max_duration if shorter", "\"30m\"")
        .doc("The grant that is given when no duration is asked for."),
    key("roles.NAME.reason", Kind::Table, "{ required = true, min_length = 1 }", "{ min_length = 10 }")
        .doc("What a request has to say for itself."),
    key("roles.NAME.reason.required", Kind::Flag, "true", "false")
        .doc("Whether there must be a reason at all."),
    key("roles.NAME.reason.min_length", Kind::Number { min: 0, max: 512 }, "1", "10")
        .doc("How many characters it has at least."),
    key("roles.NAME.ticket", Kind::Text, "none asked for", "'^(INC|CHG)-\\d+$'")
        .doc("What a request's ticket looks like, as a regular expression."),
    key("roles.NAME.hours", Kind::Text, "always", "\"Mon-Fri 08:00-18:00 Europe/Berlin\"")
        .doc("Within which times a grant may begin: days, times and time zone; several windows are parted by ';'. Without --at that is now, and again when it is granted."),
    key("roles.NAME.cooldown", Kind::Duration, "none", "\"10m\"")
        .doc("How long after a grant's end the next may begin."),
    key("roles.NAME.daily_budget", Kind::Duration, "no limit", "\"4h\"")
        .doc("How much of it one user may have in a day: what they held in the 24 hours before a grant begins counts, and the grant itself."),
    key("roles.NAME.max_active", Kind::Number { min: 1, max: ACTIVE_LIMIT }, "no limit", "2")
        .doc("How many people may hold it at once."),
    key("roles.NAME.password", Kind::Flag, "true", "false")
        .doc("false: sudo and polkit ask for no password under this role; true: its holder types their own."),
    key("roles.NAME.record", Kind::Flag, "false", "true")
        .doc("true: sudo records what goes in and out of its commands."),
    key("roles.NAME.on_expiry", Kind::Word(OnExpiry::WORDS), "\"terminate\"", "\"leave\"")
        .doc("What becomes, at the end, of its sessions and of processes that carry its groups: \"terminate\" ends them, \"leave\" names them in the record and leaves them."),
    key("roles.NAME.warn_before", Kind::Durations, "[\"5m\", \"1m\"]", "[\"10m\"]")
        .doc("How long before the end its sessions are warned, on their terminals."),
    key("roles.NAME.grace", Kind::Duration, "\"10s\"", "\"30s\"")
        .doc("How long a process has between the polite signals (SIGTERM, SIGHUP) and SIGKILL."),
    key("roles.NAME.break_glass", Kind::Flag, "false", "true")
        .doc("For emergencies: no approval, loud, at once, and once until somebody else has reviewed it. Its approvers are told, and may review it."),
    key("grants", Kind::Tables, "[]", "[[grants]]")
        .doc("Grants that are held from this file, with no request. They end when their entry goes."),
    key("grants.user", Kind::Text, "", "\"bob\"").doc("Who holds it; not root.").required(),
    key("grants.role", Kind::Text, "", "\"containers\"").doc("What.").required(),
    key("grants.from", Kind::Time, "", "2026-12-01T09:00:00Z").doc("From when.").required(),
    key("grants.until", Kind::Time, "", "2026-12-01T17:00:00Z")
        .doc("Until when; later than from.")
        .required(),
    key("grants.reason", Kind::Text, "", "\"CHG-4711 change window\"")
        .doc("What for.")
        .required(),
];

/// Every key, tables before what is in them.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The keys of a table: `""` for the top, `"roles.NAME"` for a role.
pub(crate) fn keys_of(table: &str) -> impl Iterator<Item = &'static Key> + '_ {
    KEYS.iter().filter(move |key| key.table() == table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_once_and_has_a_table() {
        for (number, key) in KEYS.iter().enumerate() {
            assert!(!key.doc.is_empty() && !key.example.is_empty(), "{}", key.path);
            assert!(!key.doc.contains('\n') && key.doc.ends_with('.'), "{}", key.path);
            assert!(KEYS.iter().skip(number + 1).all(|other| other.path != key.path));
            let table = key.table().trim_end_matches(".NAME");
            assert!(table.is_empty() || KEYS.iter().take(number).any(|key| key.path == table));
        }
    }
}
