//! What comes by being in a group: because of what the group may touch, or because a rule names it.
//! One membership of a group that is there for it is one privilege, whatever it is good for.

use std::collections::BTreeMap;

use stint_proto::{GroupName, StandingEnd, StandingKind, StandingPrivilege, StandingWeight};

use super::admins::{Admin, Whom};
use super::by_rule::{end_of_rule, fits, place, weight};
use super::groups::{OF_ADMINISTRATORS, TABLE, known};
use super::host::{By, Group, Host};
use super::sudoers::{Give, Judge, Who};
use super::{held_by, privilege, shown};

/// Why a group is one of those.
enum Reason<'a> {
    Known(StandingWeight, &'static str),
    Sudo(&'a Give),
    Admin(&'a Admin),
}

impl Reason<'_> {
    fn weight(&self) -> StandingWeight {
        match self {
            Self::Known(weight, _) => *weight,
            Self::Sudo(give) => give.weight,
            Self::Admin(admin) => weight(admin),
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Known(_, why) => (*why).to_owned(),
            Self::Sudo(give) => format!("{} (sudo, {})", give.why, place(give)),
            Self::Admin(admin) => format!("{} ({}:{})", admin.why, admin.path, admin.line),
        }
    }
}

/// What every member of such a group holds by it.
pub(super) fn members(
    host: &Host,
    judge: &Judge<'_>,
    gives: &[Give],
    admins: &[Admin],
) -> Vec<StandingPrivilege> {
    let mut reasons: BTreeMap<String, Vec<Reason<'_>>> = BTreeMap::new();
    for (name, _, _) in TABLE {
        if let Some((weight, why)) = known(name) {
            reasons.entry((*name).to_owned()).or_default().push(Reason::Known(weight, why));
        }
    }
    for give in gives {
        for who in &give.who {
            let name = match who {
                Who::Group(name) => Some(name.clone()),
                Who::Gid(gid) => host.group_name(*gid),
                _ => None,
            };
            let of = name.map(|name| reasons.entry(name).or_default());
            of.into_iter().for_each(|of| of.push(Reason::Sudo(give)));
        }
    }
    for admin in admins {
        if let Whom::Group(name) = &admin.whom {
            reasons.entry(name.clone()).or_default().push(Reason::Admin(admin));
        }
    }
    let mut found = Vec::new();
    for (name, reasons) in &reasons {
        let Some(group) = host.group(name) else { continue };
        for (name, by) in host.members(&group) {
            let uid = host.account(&name).map(|account| account.uid);
            if uid == Some(0) {
                continue;
            }
            let means = |reason: &&Reason<'_>| match reason {
                Reason::Sudo(give) => judge.means(give, &|who| fits(host, &name, uid, who)),
                _ => true,
            };
            let reasons: Vec<&Reason<'_>> = reasons.iter().filter(means).collect();
            let member = Member { host, group: &group, name: &name, by };
            found.extend(member.held(&reasons));
        }
    }
    found
}

/// Somebody who is in a group.
struct Member<'a> {
    host: &'a Host,
    group: &'a Group,
    name: &'a str,
    by: By,
}

impl Member<'_> {
    /// What they hold by it. A team's group is for more than a rule of sudo that names it: each such
    /// rule is a privilege of its own, ended by changing the rule.
    fn held(&self, reasons: &[&Reason<'_>]) -> Vec<StandingPrivilege> {
        if is_for_this(&self.group.name) {
            return self.membership(reasons).into_iter().collect();
        }
        let (mut found, mut others) = (Vec::new(), Vec::new());
        for reason in reasons {
            match reason {
                Reason::Sudo(give) => found.push(self.by_rule(give)),
                other => others.push(*other),
            }
        }
        found.extend(self.membership(&others));
        found
    }

    fn by_rule(&self, give: &Give) -> StandingPrivilege {
        let how = format!("sudo rule {}, for %{}", place(give), self.group.name);
        let why = give.why.clone();
        let mut held = privilege(StandingKind::Sudo, give.weight, self.name, how, why);
        held_by(&mut held, self.host, self.name);
        end_of_rule(&mut held, self.host, give);
        held
    }

    fn membership(&self, reasons: &[&Reason<'_>]) -> Option<StandingPrivilege> {
        let group = &self.group.name;
        let weight = reasons.iter().map(|reason| reason.weight()).min()?;
        let (how, by_hand) = match self.by {
            By::Member => {
                let by_hand = format!("gpasswd -d {} {}", shown(self.name), shown(group));
                (format!("member of {group}"), by_hand)
            }
            By::PrimaryGroup => {
                let by_hand = format!("usermod -g GROUP {}", shown(self.name));
                (format!("primary group {group}"), by_hand)
            }
        };
        let mut held = privilege(StandingKind::Group, weight, self.name, how, String::new());
        held.why = reasons.iter().map(|reason| reason.why()).collect();
        held.group = Some(group.clone());
        held.by_hand = by_hand;
        held_by(&mut held, self.host, self.name);
        let sudo = |reason: &&Reason<'_>| matches!(reason, Reason::Sudo(give) if give.whole);
        let by_sudo = reasons.iter().any(|reason| matches!(reason, Reason::Sudo(_)));
        let whole = reasons.iter().any(sudo);
        held.nopasswd = reasons
            .iter()
            .any(|reason| matches!(reason, Reason::Sudo(give) if give.whole && give.nopasswd));
        // One role for both a membership and everything as root would be neither.
        held.instead = match (known(group).is_some(), by_sudo) {
            (_, false) => Some(format!("group {group}")),
            (false, true) if whole => Some("sudo".to_owned()),
            _ => None,
        };
        let is_local = self.host.groups.iter().any(|one| one.name == *group);
        let can_be_named = group.parse::<GroupName>().is_ok();
        let can_leave = held.person && self.by == By::Member && is_local && can_be_named;
        if can_leave && held.instead.is_some() && is_for_this(group) {
            held.end = StandingEnd::Group;
        }
        Some(held)
    }
}

/// Whether a group is there for what it makes of its members: then they leave it. Rules that name
/// another group are changed instead.
pub(super) fn is_for_this(group: &str) -> bool {
    OF_ADMINISTRATORS.contains(&group) || known(group).is_some()
}
