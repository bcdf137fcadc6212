//! The values that go to the mechanisms and come from them: what the host should be like, what was
//! done, what was found. Values only.

use std::collections::{BTreeMap, BTreeSet};

use stint_policy::{Backend as Asked, Role};
use stint_proto::{GrantId, GroupName, Timestamp, Uid, UserName};

use super::{About, Failure};
use crate::applied::Applied;
use crate::domain::human::Process;
use crate::domain::manner::Manner;
use crate::enforce::change::Membership as Pair;
use crate::enforce::polkit_rule::PolkitEntry;
use crate::enforce::sudo_rule::{RulesFound, SudoEntry};
use crate::store::{Backend, Eviction, Membership, Write};

/// What the host should be like.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Desired {
    /// Who is in which group by a grant.
    pub(in crate::engine) memberships: BTreeSet<Pair>,
    /// Whose role has sudo rules.
    pub(in crate::engine) sudo: Vec<SudoGrant>,
    /// Whose role has polkit actions.
    pub(in crate::engine) polkit: Vec<PolkitEntry>,
    /// How memberships are given.
    pub(in crate::engine) backend: Asked,
    /// Who had a group already that is to be given now.
    pub(in crate::engine) carried: BTreeMap<Pair, Vec<Process>>,
    /// How those are ended who carry a group that was taken back.
    pub(in crate::engine) manners: BTreeMap<GroupName, Manner>,
    /// By which grants somebody is in a group.
    pub(in crate::engine) conferred_by: BTreeMap<Pair, BTreeSet<GrantId>>,
    /// What the list is to say before any of it is done: the grants that run, and what is owned.
    pub(in crate::engine) applied: Applied,
    /// What stint owns and has seen in its place.
    pub(in crate::engine) seen: BTreeSet<Membership>,
    /// Whose rules are in the sudo rule file.
    pub(in crate::engine) ruled: BTreeSet<GrantId>,
    /// The numbers of those of whom something may have to be taken back.
    pub(in crate::engine) numbers: BTreeMap<UserName, Uid>,
}

/// A grant whose role has sudo rules.
#[derive(Clone, Debug)]
pub(in crate::engine) struct SudoGrant {
    pub(in crate::engine) uid: Uid,
    pub(in crate::engine) user: UserName,
    pub(in crate::engine) grant: GrantId,
    pub(in crate::engine) expires_at: Timestamp,
    pub(in crate::engine) role: Role,
}

/// What was done.
#[derive(Debug, Default)]
pub(in crate::engine) struct Report {
    /// How memberships are given now.
    pub(in crate::engine) backend: Option<Backend>,
    /// What was going to be given, and is owned whatever came of it.
    pub(in crate::engine) intended: Vec<Membership>,
    /// Whose processes are to be ended, as they carry what was taken back.
    pub(in crate::engine) evictions: Vec<Eviction>,
    /// Changes to the state that are still to be made.
    pub(in crate::engine) unsaved: Vec<Write>,
    /// Given.
    pub(in crate::engine) added: Vec<Membership>,
    /// Taken back.
    pub(in crate::engine) removed: Vec<Membership>,
    /// Found where stint had given it.
    pub(in crate::engine) found: Vec<Membership>,
    /// Taken away by somebody else.
    pub(in crate::engine) missing: Vec<Membership>,
    /// What became of the sudo rule file, if it was changed.
    pub(in crate::engine) sudo_rules: Option<String>,
    /// What became of the polkit rule file, if it was changed.
    pub(in crate::engine) polkit_rules: Option<String>,
    /// What was found in its place.
    pub(in crate::engine) rules: RulesSeen,
    /// What could not be done.
    pub(in crate::engine) failures: Vec<Failure>,
}

/// The sudo rule file, as it was found and as it was left.
#[derive(Debug, Default)]
pub(in crate::engine) struct RulesSeen {
    /// What was in its place; `None` where that could not be seen.
    pub(in crate::engine) found: Option<RulesFound>,
    /// Whose rules somebody removed with it.
    pub(in crate::engine) removed: BTreeSet<GrantId>,
    /// What is there now, and whose rules; `None` where it was left alone.
    pub(in crate::engine) made: Option<(Option<RulesFound>, BTreeSet<GrantId>)>,
}

/// What a look found.
#[derive(Debug, Default)]
pub(in crate::engine) struct Looked {
    /// Memberships that somebody else has taken away.
    pub(in crate::engine) missing: Vec<Membership>,
    /// The sudo rule file.
    pub(in crate::engine) rules: RulesSeen,
}

impl Report {
    /// Nothing was done, for this reason.
    pub(in crate::engine) fn broken(why: &str) -> Self {
        let failure = Failure { about: About::Everything, text: format!("enforcement: {why}") };
        Self { failures: vec![failure], ..Self::default() }
    }
}

impl SudoGrant {
    /// As the rule file has it.
    pub(super) fn entry(&self) -> SudoEntry<'_> {
        SudoEntry {
            uid: self.uid,
            user: self.user.clone(),
            grant: self.grant.clone(),
            role: self.role.name.clone(),
            expires_at: self.expires_at,
            password: self.role.password,
            record: self.role.record,
            rules: &self.role.sudo,
        }
    }
}

/// Why sudo rules are not known to be good.
#[derive(Debug)]
pub(in crate::engine) enum BadRules {
    /// A checker refuses them: what it said.
    Wrong(String),
    /// No checker could be asked: what stood in the way.
    Untried(String),
}
