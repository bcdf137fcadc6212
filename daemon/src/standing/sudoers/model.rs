//! What sudoers says, as values (sudoers(5)).

use std::collections::BTreeMap;

/// Whom, as whom, or where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody, or everywhere.
    All,
    /// This name, which may be an alias.
    Name(String),
    /// This number.
    Id(u32),
    /// Members of this group.
    Group(String),
    /// Members of the group of this number.
    Gid(u32),
    /// Members of a group that a plugin of sudo knows.
    NonUnix(String),
    /// Members of this netgroup.
    Netgroup(String),
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// It is taken out, not in.
    pub negated: bool,
    /// Which.
    pub who: Who,
}

/// One command of a rule, with what holds for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) negated: bool,
    /// `ALL`, an alias, `list`, `sudoedit FILE`, or a path with its arguments, single blanks between.
    pub(super) text: String,
}

/// Commands that run alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// As whom; `None` where nothing is said, which is root.
    pub(super) users: Option<Vec<Member>>,
    /// With which groups.
    pub(super) groups: Option<Vec<Member>>,
    pub(super) nopasswd: bool,
    pub(super) noexec: bool,
    /// It is over at a time that the rule says.
    pub(super) ends: bool,
    pub(super) command: Command,
}

/// On some hosts, some commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Privilege {
    pub(super) hosts: Vec<Member>,
    pub(super) runs: Vec<Run>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) users: Vec<Member>,
    pub(super) privileges: Vec<Privilege>,
}

/// Where a rule is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// In which file.
    pub path: String,
    /// From which line on, from 1.
    pub line: u32,
    /// Its lines, as they are.
    pub text: String,
}

/// One statement of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Statement {
    /// `Defaults`, with whom it is for (empty for all) and what it says.
    Defaults(String, String),
    Users(Vec<(String, Vec<Member>)>),
    RunAs(Vec<(String, Vec<Member>)>),
    Hosts(Vec<(String, Vec<Member>)>),
    Commands(Vec<(String, Vec<Command>)>),
    Rule(Rule),
}

/// Aliases, by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases {
    pub(super) users: BTreeMap<String, Vec<Member>>,
    pub(super) run_as: BTreeMap<String, Vec<Member>>,
    pub(super) hosts: BTreeMap<String, Vec<Member>>,
    pub(super) commands: BTreeMap<String, Vec<Command>>,
}

/// How deep aliases may lie in each other: sudo itself refuses circles.
pub(super) const DEPTH: usize = 32;

/// Whether the list means somebody: the last entry that `fits` decides, and an alias is looked into
/// (as sudo's `userlist_matches` does). `None` where no entry fits.
pub(super) fn listed(
    list: &[Member],
    aliases: &BTreeMap<String, Vec<Member>>,
    fits: &dyn Fn(&Who) -> bool,
    depth: usize,
) -> Option<bool> {
    list.iter().rev().find_map(|member| {
        let inner = match &member.who {
            Who::Name(name) => aliases.get(name),
            _ => None,
        };
        let found = match inner {
            Some(inner) if depth > 0 => listed(inner, aliases, fits, depth - 1),
            Some(_) => None,
            None => fits(&member.who).then_some(true),
        };
        found.map(|found| found != member.negated)
    })
}

/// Every entry that takes somebody in, of the aliases too. A double negation takes in as well.
pub(super) fn taken_in(
    list: &[Member],
    aliases: &BTreeMap<String, Vec<Member>>,
    negated: bool,
    depth: usize,
) -> Vec<Who> {
    let mut found = Vec::new();
    for member in list {
        let negated = negated != member.negated;
        match &member.who {
            Who::Name(name) if aliases.contains_key(name) => {
                if depth > 0
                    && let Some(inner) = aliases.get(name)
                {
                    found.extend(taken_in(inner, aliases, negated, depth - 1));
                }
            }
            who if !negated => found.push(who.clone()),
            _ => {}
        }
    }
    found
}

/// Whether nobody is taken out of the list.
pub(super) fn is_plain(
    list: &[Member],
    aliases: &BTreeMap<String, Vec<Member>>,
    depth: usize,
) -> bool {
    list.iter().all(|member| {
        let inner = match &member.who {
            Who::Name(name) => aliases.get(name),
            _ => None,
        };
        !member.negated
            && inner.is_none_or(|inner| depth > 0 && is_plain(inner, aliases, depth - 1))
    })
}
