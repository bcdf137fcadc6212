//! Reads policy files: text in, a [`Policy`] or everything that is wrong with it out, in one go.
//! Reads no file itself, and knows the host only by what it is told.

mod etcd;
mod fleet;
mod grants;
mod remote;
mod report;
mod role;
mod sections;
mod source;
mod sudo;
mod sync;
mod table;

use std::collections::BTreeMap;

use stint_proto::{GroupName, RoleName, UserName};

use crate::language::keys;
use crate::{Diagnostic, Policy, Position, Principal, Remote, Role};
pub(crate) use fleet::read as read_fleet;
use report::Report;
use source::Source;
pub(crate) use sync::read as read_sync;
use table::{Node, Table};

/// A policy file, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// How messages name it.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// What the host knows of accounts.
pub trait Accounts {
    /// Whether there is such a group.
    fn group_exists(&self, group: &GroupName) -> bool;
    /// Whether there is such a user.
    fn user_exists(&self, user: &UserName) -> bool;
}

/// A policy that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// What is odd about it, in the order of the files.
    pub warnings: Vec<Diagnostic>,
}

/// What a load knows, and what it has found.
struct Load<'a> {
    host: &'a str,
    accounts: Option<&'a dyn Accounts>,
    /// Whether every file could be read to its end; if not, what is missing may stand in the part
    /// that could not.
    whole: bool,
    /// Which of the files somebody has signed, for many hosts.
    signed: Option<usize>,
    /// No host's own policy is there: a role that is not known here may be known there.
    anywhere: bool,
    report: Report,
}

/// Reads the files as one policy for `host`. Names of groups and users are looked up only where
/// `accounts` are known.
///
/// # Errors
/// Everything that is wrong, warnings too, in the order of the files.
pub fn parse(
    files: &[SourceFile],
    host: &str,
    accounts: Option<&dyn Accounts>,
) -> Result<Loaded, Vec<Diagnostic>> {
    read(files, host, accounts, None, false)
}

/// The same, with a signed policy beside the host's own: it brings roles and grants, as far as
/// `[remote]` of the host's own lets it, and nothing else.
///
/// # Errors
/// As [`parse`].
pub fn parse_signed(
    own: &[SourceFile],
    signed: &SourceFile,
    host: &str,
    accounts: Option<&dyn Accounts>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let files: Vec<SourceFile> = own.iter().chain([signed]).cloned().collect();
    read(&files, host, accounts, Some(own.len()), false)
}

/// A signed policy where no host's own is known: what it says by itself.
///
/// # Errors
/// As [`parse`].
pub fn parse_alone(signed: &SourceFile, host: &str) -> Result<Loaded, Vec<Diagnostic>> {
    read(std::slice::from_ref(signed), host, None, Some(0), true)
}

fn read(
    files: &[SourceFile],
    host: &str,
    accounts: Option<&dyn Accounts>,
    signed: Option<usize>,
    anywhere: bool,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut report = Report::default();
    let sources: Vec<Source<'_>> =
        files.iter().enumerate().map(|(number, file)| Source::read(number, file)).collect();
    for source in &sources {
        report.syntax(source);
    }
    let whole = sources.iter().all(Source::is_whole);
    let mut load = Load { host, accounts, whole, signed, anywhere, report };
    let tops: Vec<Table<'_>> = sources.iter().map(|source| load.top(source)).collect();
    let mut policy = Policy::default();
    sections::read(&mut load, &tops, &mut policy);
    policy.roles = load.roles(&tops, policy.remote.as_ref());
    policy.grants = grants::read(&mut load, &tops, &policy);
    let warnings = load.report.finish()?;
    Ok(Loaded { policy, warnings })
}

impl<'a> Load<'a> {
    fn top(&mut self, source: &'a Source<'a>) -> Table<'a> {
        let table = Table::top(source, keys());
        if self.signed == Some(source.number) {
            remote::check_top(self, &table);
        } else {
            table.check_keys(&mut self.report);
        }
        table
    }

    /// Whether this stands in the policy that somebody has signed.
    fn is_signed(&self, node: &Node<'_>) -> bool {
        self.signed == Some(node.source.number)
    }

    /// Every role of every file. A name that stands twice is an error that names both places.
    fn roles(&mut self, tops: &[Table<'_>], remote: Option<&Remote>) -> BTreeMap<RoleName, Role> {
        let mut roles: BTreeMap<RoleName, Role> = BTreeMap::new();
        for top in tops {
            let Some(all) = top.table(&mut self.report, "roles") else { continue };
            for entry in all.entries() {
                let name: Option<RoleName> = self.report.parsed_name(&entry);
                let Some(table) = entry.as_role(&mut self.report, &all) else { continue };
                // A role of a bad name is read as any other, for whatever else is wrong with it.
                let Some(called) = name.clone().or_else(|| "nameless".parse().ok()) else {
                    continue;
                };
                let role = role::read(self, &table, called, &entry);
                if name.is_none() {
                    continue;
                }
                // One that somebody has signed for other hosts is nothing to this one.
                let is_elsewhere = role.signed && !role.on_host(self.host);
                if let Some(first) = roles.get(&role.name) {
                    if is_elsewhere {
                        continue;
                    }
                    let message =
                        format!("a second role of this name; the first is at {}", first.at);
                    self.report.error(&entry, &message, "rename one of the two, or remove it");
                } else {
                    if role.signed {
                        remote::check_role(self, &entry, &role, remote);
                    }
                    roles.insert(role.name.clone(), role);
                }
            }
        }
        roles
    }

    /// Reads users and %groups. Those that the host does not know are worth a warning: they may
    /// come from a directory.
    fn principals(&mut self, nodes: Vec<Node<'_>>, here: bool) -> Vec<Principal> {
        let mut read: Vec<Principal> = Vec::new();
        for node in nodes {
            let Some(entry) = self.report.parsed_name::<Principal>(&node) else { continue };
            let missing = match (&entry, self.accounts.filter(|_| here)) {
                (Principal::User(user), Some(known)) if !known.user_exists(user) => {
                    Some(format!("there is no user \"{user}\" on this host"))
                }
                (Principal::Group(group), Some(known)) if !known.group_exists(group) => {
                    Some(format!("there is no group \"{group}\" on this host"))
                }
                _ => None,
            };
            if let Some(message) = missing {
                self.report.warning(&node, &message, "no matter if a directory will know it");
            }
            if !read.contains(&entry) {
                read.push(entry);
            }
        }
        read
    }
}

/// Where a value stands, for a policy in force.
fn position(node: &Node<'_>) -> Position {
    node.source.position(node.span.start)
}
