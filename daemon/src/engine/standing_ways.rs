//! Which roles in force could stand in for what somebody holds with no end: those for which they
//! are eligible, also once they have left the groups that adopting takes them out of, and that
//! somebody could then grant. May wait for the account database.

use std::collections::BTreeSet;
use std::sync::Arc;

use stint_policy::{Args, Policy, Principal, Role, RunAs, Subject, SudoCommand};
use stint_proto::{GroupName, StandingEnd, StandingWay, Uid, UserName};

use crate::accounts;
use crate::standing::Found;

/// What is asked.
pub(super) struct Asked {
    pub(super) policy: Arc<Policy>,
    pub(super) host: String,
    pub(super) owned: BTreeSet<(String, String)>,
}

/// The ways of everybody who holds something that could be adopted; and who of them passes the gate
/// without a grant.
pub(super) fn ways(asked: &Asked, found: &Found) -> (Vec<StandingWay>, Vec<String>) {
    let adoptable = found.held.iter().filter(|held| held.end != StandingEnd::ByHand);
    let names: BTreeSet<&str> = adoptable.map(|held| held.who.as_str()).collect();
    let people: Vec<Person> = names.iter().filter_map(|name| person(asked, name)).collect();
    let is_exempt = |person: &&Person| asked.policy.exempt_by(person.subject()).is_some();
    let exempt: Vec<String> =
        people.iter().filter(is_exempt).map(|person| person.user.to_string()).collect();
    let leaving: BTreeSet<(&str, &str)> = found
        .held
        .iter()
        .filter(|held| held.end == StandingEnd::Group && !exempt.contains(&held.who))
        .filter_map(|held| Some((held.who.as_str(), held.group.as_deref()?)))
        .collect();
    let mut ways = Vec::new();
    for person in &people {
        let stays = |group: &&GroupName| !leaving.contains(&(person.user.as_str(), group.as_str()));
        let groups: BTreeSet<GroupName> = person.groups.iter().filter(stays).cloned().collect();
        let subject = Subject { user: &person.user, uid: person.uid, groups: &groups };
        for role in asked.policy.roles_here(&asked.host).filter(|role| !role.break_glass) {
            let eligible = asked.policy.eligible_by(role, subject).is_some();
            if eligible && can_be_granted(role, person, found, &leaving) {
                let way = |gives| StandingWay {
                    user: person.user.to_string(),
                    role: role.name.clone(),
                    gives,
                };
                ways.extend(gives(role).into_iter().map(way));
            }
        }
    }
    (ways, exempt)
}

struct Person {
    user: UserName,
    uid: Uid,
    groups: BTreeSet<GroupName>,
}

impl Person {
    fn subject(&self) -> Subject<'_> {
        Subject { user: &self.user, uid: self.uid, groups: &self.groups }
    }
}

/// Who may hold a grant at all.
fn person(asked: &Asked, name: &str) -> Option<Person> {
    let user: UserName = name.parse().ok()?;
    let account = accounts::resolve_for_grant(&user, false).ok()?;
    let given = asked.owned.iter().filter(|(owner, _)| owner == name);
    let given: Vec<GroupName> = given.filter_map(|(_, group)| group.parse().ok()).collect();
    let groups = accounts::standing_groups(&user, &given).ok()?;
    Some(Person { user, uid: account.uid, groups })
}

/// Whether there are enough others who may say yes, or none is needed.
fn can_be_granted(
    role: &Role,
    person: &Person,
    found: &Found,
    leaving: &BTreeSet<(&str, &str)>,
) -> bool {
    let mut others: BTreeSet<&str> = BTreeSet::new();
    for approver in &role.approvers {
        match approver {
            Principal::User(user) if found.has_account(user.as_str()) => {
                others.insert(user.as_str());
            }
            Principal::User(_) => {}
            Principal::Group(group) => {
                let group = group.as_str();
                let members = found.members(group);
                others.extend(members.filter(|member| !leaving.contains(&(*member, group))));
            }
        }
    }
    others.remove(person.user.as_str());
    others.remove("root");
    u32::try_from(others.len()).is_ok_and(|others| others >= role.approvals_needed())
}

/// What a role gives, in the words of [`StandingWay`].
fn gives(role: &Role) -> Vec<String> {
    let is_all = |rule: &stint_policy::SudoRule| {
        let as_root = match &rule.run_as {
            RunAs::All => true,
            RunAs::User(user) => user.as_str() == "root",
        };
        let all = |command: &SudoCommand| match command {
            SudoCommand::All => true,
            SudoCommand::Exact { args: Args::Any | Args::None | Args::These(_), .. } => false,
        };
        as_root && rule.commands.iter().any(all)
    };
    let sudo = role.sudo.iter().any(is_all).then(|| "sudo".to_owned());
    sudo.into_iter().chain(role.groups.iter().map(|group| format!("group {group}"))).collect()
}
