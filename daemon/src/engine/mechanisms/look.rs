//! Looking at what grants have changed on the host, and telling caches of it. Changes no file.

use std::collections::BTreeSet;

use stint_proto::{GrantId, GroupName, UserName};

use super::{About, Backend, Desired, Failure, Looked, Mechanisms, Membership, Pair};
use super::{Report, RulesSeen, owned_by};
use crate::enforce::caches::forget_groups;
use crate::enforce::groups::Groups;
use crate::enforce::sudo_rule::RulesFound;

impl Mechanisms {
    /// Looks at what is there, and changes nothing.
    pub(in crate::engine) fn look(
        &self,
        desired: &Desired,
        owned: &BTreeSet<Membership>,
    ) -> Looked {
        let mut missing = Vec::new();
        for (backend, groups) in [(Backend::Files, &self.files), (Backend::Userdb, &self.userdb)] {
            let kept = owned.intersection(&desired.seen).filter(|own| own.backend == backend);
            let kept: BTreeSet<Pair> =
                kept.map(|own| (own.user.clone(), own.group.clone())).collect();
            let kept = kept.intersection(&desired.memberships).cloned().collect();
            missing.extend(groups.missing(&kept).into_iter().map(|pair| owned_by(backend, pair)));
        }
        let (found, removed) = self.rules_found(desired);
        Looked { missing, rules: RulesSeen { found, removed, made: None } }
    }

    /// In which of these groups /etc/group names the new name and no longer the old one.
    pub(in crate::engine) fn renamed(
        &self,
        old: &UserName,
        new: &UserName,
        groups: BTreeSet<GroupName>,
    ) -> BTreeSet<GroupName> {
        let lacks = |name: &UserName| -> BTreeSet<GroupName> {
            let pairs = groups.iter().map(|group| (name.clone(), group.clone())).collect();
            self.files.missing(&pairs).into_iter().map(|(_, group)| group).collect()
        };
        // usermod writes passwd first and group last, and this is known since passwd was written. Where
        // its locks stay held what is there now counts.
        if let Groups::Files(etc) = &self.files {
            etc.settle().ok();
        }
        let (lack_old, lack_new) = (lacks(old), lacks(new));
        lack_old.difference(&lack_new).cloned().collect()
    }

    /// What is in the rule file's place, and whose rules went with it where somebody removed it.
    pub(super) fn rules_found(&self, desired: &Desired) -> (Option<RulesFound>, BTreeSet<GrantId>) {
        let ids = desired.sudo.iter().map(|own| &own.grant);
        let ruled: BTreeSet<GrantId> =
            ids.filter(|id| desired.ruled.contains(*id)).cloned().collect();
        let mut found = self.sudo.look();
        if found == Some(RulesFound::Nothing) && !ruled.is_empty() {
            found = self.sudo.look_again();
        }
        if found == Some(RulesFound::Nothing) { (found, ruled) } else { (found, BTreeSet::new()) }
    }

    /// Has caches that run forget what they knew of memberships that have changed.
    pub(super) fn tell_caches(&mut self, report: &mut Report) {
        if report.added.is_empty() && report.removed.is_empty() && !self.stale {
            return;
        }
        let told = forget_groups(&self.nscd);
        self.stale = told.is_err();
        report.failures.extend(
            told.err().map(|error| Failure { about: About::Caches, text: error.to_string() }),
        );
    }
}
