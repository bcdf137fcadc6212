//! What stint has given on this host and has not taken back yet, in a file of its own beside the
//! state: written before anything is applied and after it was taken back, and read by `stintd
//! --sweep`, which needs neither the daemon nor the database. Values, their text, the file. Gives
//! and takes back nothing.

mod ended;
mod list;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub use ended::Ended;
pub use list::{FILE, List, ListError};
use stint_proto::{GrantId, RoleName, Uid, UserName};
pub use text::{Problem, parse, render};

use crate::domain::control_group::Group;
use crate::domain::deadline::{Kept, Mark, Past};
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::store::{Eviction, EvictionOf, Membership};

/// Everything that is to be taken back one day, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// When it was written.
    pub mark: Option<Mark>,
    /// The grants that run.
    pub grants: BTreeMap<GrantId, Held>,
    /// The memberships that stint has given.
    pub members: BTreeMap<Membership, Given>,
    /// Sessions that are not found by the names of their control groups.
    pub sessions: BTreeSet<(GrantId, Spot)>,
    /// What still runs under something that is over already.
    pub owed: BTreeMap<String, Owed>,
    /// The sweep has removed all sudo rules, those of grants that run too: nobody did so by hand.
    pub rules_taken: bool,
    /// Lines that could not be read: each stands for something that was given.
    pub unread: BTreeSet<String>,
}

/// A grant that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who holds it.
    pub user: UserName,
    /// Who holds it, by number.
    pub uid: Uid,
    /// What is held.
    pub role: RoleName,
    /// Until when.
    pub until: Kept,
    /// How what runs under it is ended.
    pub manner: Manner,
}

/// A membership that stint has given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// By which grants; it goes with the last of them.
    pub grants: BTreeSet<GrantId>,
    /// Who had the group already, and is not to be ended with it.
    pub carried: Vec<Process>,
}

/// Where a session is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// In a control group of another name.
    Group(Group),
    /// In none of its own: this process, and what it has started.
    Process(Process),
}

/// Processes that are still to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Which.
    pub eviction: Eviction,
    /// Who had the group already, and is not meant.
    pub carried: Vec<Process>,
}

impl Applied {
    /// Whether there is nothing to be taken back, now or later.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.says_the_same(&Self::default())
    }

    /// Whether both say the same, whenever they were written.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.grants == other.grants
            && self.members == other.members
            && self.sessions == other.sessions
            && self.owed == other.owed
            && self.rules_taken == other.rules_taken
            && self.unread == other.unread
    }

    /// Whether every grant and membership of the other is here too, to be taken back no earlier.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let is_here = |(key, given): (&Membership, &Given)| {
            self.members.get(key).is_some_and(|own| own.grants.is_superset(&given.grants))
        };
        other.grants.iter().all(|(id, held)| self.grants.get(id) == Some(held))
            && other.members.iter().all(is_here)
    }

    /// What is known of the time before this boot.
    #[must_use]
    pub fn past(&self) -> Past {
        let seen = self.mark.as_ref().map(|mark| mark.at.wall);
        let seen = seen.unwrap_or(stint_proto::Timestamp::from_micros(i64::MIN));
        Past { mark: self.mark.clone(), seen }
    }

    /// Carries all of it into this boot: what was of another one and ended with it goes.
    pub fn carry_into(&mut self, here: Mark) {
        let past = self.past();
        let same_boot = self.mark.as_ref().is_some_and(|mark| mark.boot_id == here.boot_id);
        for held in self.grants.values_mut() {
            let deadline = held.until.in_boot(&here, &past);
            held.until = Kept { deadline, boot_id: here.boot_id.clone() };
        }
        if !same_boot {
            // No process outlives a boot.
            self.sessions.clear();
            self.owed.clear();
            self.members.values_mut().for_each(|given| given.carried.clear());
        }
        self.mark = Some(here);
    }
}

/// What an eviction is called among others.
#[must_use]
pub fn key_of(eviction: &Eviction) -> String {
    match &eviction.of {
        EvictionOf::Sessions { grant, .. } => format!("sessions {grant}"),
        EvictionOf::Group { group, .. } => format!("carriers {} {group}", eviction.user),
    }
}
