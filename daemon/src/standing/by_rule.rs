//! What rules give to whom they name: users by name or number, everybody, netgroups; and what
//! programs give to whoever may start them.

use stint_policy::Principal;
use stint_proto::{StandingEnd, StandingKind, StandingPrivilege, StandingWeight};

use super::admins::{Admin, Whom};
use super::by_group::is_for_this;
use super::host::{Account, Host};
use super::programs::Judged;
use super::sudoers::{Give, Judge, Who};
use super::{held_by, privilege, shown, written_at};
use crate::residue::Program;

/// Whether an entry of a list of sudo's means this account.
pub(super) fn fits(host: &Host, name: &str, uid: Option<u32>, who: &Who) -> bool {
    match who {
        Who::All => true,
        Who::Name(one) => one == name,
        Who::Id(one) => Some(*one) == uid,
        Who::Group(group) => host.group(group).is_some_and(|group| host.is_in(name, &group)),
        Who::Gid(gid) => host
            .group_name(*gid)
            .and_then(|group| host.group(&group))
            .is_some_and(|group| host.is_in(name, &group)),
        Who::NonUnix(_) | Who::Netgroup(_) => false,
    }
}

/// Everybody whom a rule names, as a policy would; `None` if a policy could not, or if it would mean
/// others than the rule does.
pub(super) fn principals(host: &Host, give: &Give) -> Option<Vec<String>> {
    if !give.plain {
        return None;
    }
    let is_person = |account: &Account| host.is_person(account);
    let principal = |who: &Who| match who {
        Who::Name(name) => host.account(name).filter(is_person).map(|account| account.name),
        Who::Id(uid) => host.by_uid(*uid).filter(is_person).map(|account| account.name),
        // Who leaves such a group loses the rule, and who stays keeps it.
        Who::Group(name) => host
            .group(name)
            .filter(|group| !is_for_this(&group.name))
            .map(|group| format!("%{}", group.name)),
        Who::Gid(gid) => {
            host.group_name(*gid).filter(|name| !is_for_this(name)).map(|name| format!("%{name}"))
        }
        Who::All | Who::NonUnix(_) | Who::Netgroup(_) => None,
    };
    let named: Option<Vec<String>> = give.who.iter().map(principal).collect();
    named.filter(|named| named.iter().all(|name| name.parse::<Principal>().is_ok()))
}

/// How a rule of sudo is ended, said of a privilege that comes by it.
pub(super) fn end_of_rule(held: &mut StandingPrivilege, host: &Host, give: &Give) {
    held.nopasswd = give.nopasswd;
    let Some(at) = &give.at else {
        held.by_hand = "look for it in /etc/sudoers and what it includes, with visudo".to_owned();
        return;
    };
    written_at(held, at);
    held.by_hand = format!("visudo -f {}", shown(&at.path));
    if !give.whole {
        return;
    }
    held.instead = Some("sudo".to_owned());
    if let Some(principals) = principals(host, give)
        && held.person
    {
        held.principals = principals;
        held.end = StandingEnd::SudoRule;
    }
}

/// A rule in a few words.
pub(super) fn place(give: &Give) -> String {
    match &give.at {
        Some(at) => format!("{}:{}", at.path, at.line),
        None => "a rule that stint does not find in the files".to_owned(),
    }
}

/// What sudo's rules give to whom they name otherwise than by a group of the host.
pub(super) fn sudo(host: &Host, judge: &Judge<'_>, gives: &[Give]) -> Vec<StandingPrivilege> {
    let mut found = Vec::new();
    for give in gives {
        for who in &give.who {
            let (name, uid) = match who {
                Who::Name(name) => (name.clone(), host.account(name).map(|account| account.uid)),
                Who::Id(uid) => match host.by_uid(*uid) {
                    Some(account) => (account.name, Some(*uid)),
                    None => (format!("#{uid}"), Some(*uid)),
                },
                Who::All => ("everybody".to_owned(), None),
                Who::Netgroup(name) => (format!("+{name}"), None),
                Who::NonUnix(name) => (format!("%:{name}"), None),
                // Its members are found by the group.
                Who::Group(_) | Who::Gid(_) => continue,
            };
            let is_one = matches!(who, Who::Name(_) | Who::Id(_));
            if is_one && (uid == Some(0) || !judge.means(give, &|who| fits(host, &name, uid, who)))
            {
                continue;
            }
            let how = format!("sudo rule {}", place(give));
            let mut held = privilege(StandingKind::Sudo, give.weight, &name, how, give.why.clone());
            if is_one {
                held_by(&mut held, host, &name);
            }
            if *who == Who::All && !give.plain {
                held.why.push("but some whom the rule takes out".to_owned());
            }
            end_of_rule(&mut held, host, give);
            found.push(held);
        }
    }
    found
}

/// What rules of doas or polkit give to users whom they name.
pub(super) fn named(host: &Host, admins: &[Admin], kind: StandingKind) -> Vec<StandingPrivilege> {
    let mut found = Vec::new();
    for admin in admins {
        let Whom::User(name) = &admin.whom else { continue };
        let by_number = name.parse().ok().and_then(|uid| host.by_uid(uid));
        let account = host.account(name).or(by_number);
        if account.as_ref().is_some_and(|account| account.uid == 0) {
            continue;
        }
        let name = account.map_or_else(|| name.clone(), |account| account.name);
        let how = format!("{kind} rule {}:{}", admin.path, admin.line);
        let mut held = privilege(kind, weight(admin), &name, how, admin.why.clone());
        held_by(&mut held, host, &name);
        held.path = Some(admin.path.clone());
        held.line = Some(admin.line);
        held.nopasswd = admin.nopasswd;
        held.by_hand = format!("change line {} of {}", admin.line, shown(&admin.path));
        found.push(held);
    }
    found
}

/// How far a rule of doas or polkit goes.
pub(super) fn weight(admin: &Admin) -> StandingWeight {
    match admin.command {
        None => StandingWeight::Root,
        Some(_) => StandingWeight::Unknown,
    }
}

/// What a program gives.
pub(super) fn program(host: &Host, program: &Program, judged: Judged) -> StandingPrivilege {
    let who = match (program.others, host.group_name(program.gid)) {
        (true, _) => "everybody".to_owned(),
        (false, Some(group)) => format!("%{group}"),
        (false, None) => format!("%#{}", program.gid),
    };
    let (kind, word, undo) = match program.capable {
        false => (StandingKind::Setuid, "setuid-root program", "chmod u-s"),
        true => (StandingKind::Capability, "program with capabilities", "setcap -r"),
    };
    let how = format!("{word} {}", program.path);
    let mut held = privilege(kind, judged.weight, &who, how, judged.why);
    held.path = Some(program.path.clone());
    held.by_hand = format!("{undo} {}", shown(&program.path));
    held
}
