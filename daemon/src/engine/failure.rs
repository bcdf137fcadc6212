//! What could not be brought about, and what it is about. Values only.

use stint_policy::Role;
use stint_proto::{Event, GroupName, UserName};

use crate::domain::grant::Grant;

/// Something that could not be brought about; it is tried again.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What it is about.
    pub(super) about: About,
    /// One line: what, and why.
    pub(super) text: String,
}

/// What a failure is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A membership that is to be given.
    Giving(UserName, GroupName),
    /// A membership that is to be taken back.
    TakingBack(UserName, GroupName),
    /// The sudo rule file.
    SudoRules,
    /// The polkit rule file.
    PolkitRules,
    /// What polkit knows by rules that are gone.
    PolkitMemory,
    /// The tickets of people whose grants have ended.
    Tickets,
    /// The state.
    State,
    /// Scheduled grants that should have begun.
    Start,
    /// Grants that the policy holds and that could not be given.
    Holding,
    /// Processes that should have ended: which, by a word of its own.
    Eviction(String),
    /// The list of what is given.
    List,
    /// A name service cache that may answer as before.
    Caches,
    /// All of it: nothing is known to have been done.
    Everything,
}

impl Failure {
    /// Whether a grant of this role that has just begun is not whole because of it.
    pub(super) fn concerns(&self, grant: &Grant, role: &Role) -> bool {
        match &self.about {
            About::Giving(user, group) => *user == grant.user && role.groups.contains(group),
            About::SudoRules => !role.sudo.is_empty(),
            About::PolkitRules => !role.polkit.is_empty(),
            About::Everything | About::List => true,
            About::TakingBack(..)
            | About::PolkitMemory
            | About::Caches
            | About::Tickets
            | About::State
            | About::Start
            | About::Holding
            | About::Eviction(_) => false,
        }
    }

    /// One word for what it is about: what stands under it is the same failure.
    pub(super) fn key(&self) -> String {
        match &self.about {
            About::Giving(user, group) => format!("give {user} {group}"),
            About::TakingBack(user, group) => format!("take {user} {group}"),
            About::SudoRules => "sudo rules".to_owned(),
            About::PolkitRules => "polkit rules".to_owned(),
            About::PolkitMemory => "polkit".to_owned(),
            About::Tickets => "tickets".to_owned(),
            About::Caches => "caches".to_owned(),
            About::State => "state".to_owned(),
            About::Start => "start".to_owned(),
            About::Holding => "holding".to_owned(),
            About::Eviction(which) => which.clone(),
            About::List => "list".to_owned(),
            About::Everything => "everything".to_owned(),
        }
    }

    /// As what it is recorded.
    pub(super) const fn event(&self) -> Event {
        match self.about {
            About::Giving(..) | About::TakingBack(..) | About::Caches => Event::GroupFailed,
            About::SudoRules | About::Tickets | About::Everything => Event::SudoRuleFailed,
            About::PolkitRules | About::PolkitMemory => Event::PolkitRuleFailed,
            About::State | About::Start | About::Holding | About::Eviction(_) | About::List => {
                Event::AuditGap
            }
        }
    }
}
