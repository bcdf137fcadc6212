//! The accounts and groups of a host: from its files, and from its name service for what a rule
//! names and the files do not have. Without what stint itself has given.

use std::collections::BTreeSet;
use std::path::Path;

use nix::unistd::{Group as NssGroup, User as NssUser};
use stint_proto::{Uid, UserName};

use super::files;
use crate::accounts;

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: String,
    pub(super) shell: String,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

/// Who is on a host.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) accounts: Vec<Account>,
    pub(super) groups: Vec<Group>,
    first_person: u32,
    /// The name service may be asked: this is the host that runs this.
    asks: bool,
}

/// How somebody is in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum By {
    Member,
    PrimaryGroup,
}

impl Host {
    /// Reads the files below this root; `owned` are memberships that stint has given.
    pub(super) fn read(
        root: &Path,
        owned: &BTreeSet<(String, String)>,
        notes: &mut Vec<String>,
    ) -> Self {
        let mut text = |path| files::text(root, path, notes).unwrap_or_default();
        let accounts = text("/etc/passwd").lines().filter_map(account).collect();
        let groups = text("/etc/group").lines().filter_map(|line| group(line, owned)).collect();
        let first_person = accounts::first_regular_uid();
        Self { accounts, groups, first_person, asks: root == Path::new("/") }
    }

    /// The first account of this name.
    pub(super) fn account(&self, name: &str) -> Option<Account> {
        let here = self.accounts.iter().find(|account| account.name == name).cloned();
        here.or_else(|| {
            let user = self.asks.then(|| NssUser::from_name(name).ok().flatten()).flatten()?;
            Some(Account {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
                home: user.dir.to_string_lossy().into_owned(),
                shell: user.shell.to_string_lossy().into_owned(),
            })
        })
    }

    /// The first account of this number.
    pub(super) fn by_uid(&self, uid: u32) -> Option<Account> {
        let here = self.accounts.iter().find(|account| account.uid == uid).cloned();
        here.or_else(|| {
            let asked = nix::unistd::Uid::from_raw(uid);
            let user = self.asks.then(|| NssUser::from_uid(asked).ok().flatten()).flatten()?;
            self.account(&user.name)
        })
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> Option<Group> {
        let here = self.groups.iter().find(|group| group.name == name).cloned();
        here.or_else(|| {
            let group = self.asks.then(|| NssGroup::from_name(name).ok().flatten()).flatten()?;
            Some(Group { name: group.name, gid: group.gid.as_raw(), members: group.mem })
        })
    }

    /// The name of the group of this number.
    pub(super) fn group_name(&self, gid: u32) -> Option<String> {
        self.groups.iter().find(|group| group.gid == gid).map(|group| group.name.clone())
    }

    /// Who is in a group, each once, and how.
    pub(super) fn members(&self, group: &Group) -> Vec<(String, By)> {
        let mut found: Vec<(String, By)> = Vec::new();
        for member in &group.members {
            if !found.iter().any(|(name, _)| name == member) {
                found.push((member.clone(), By::Member));
            }
        }
        for account in self.accounts.iter().filter(|account| account.gid == group.gid) {
            match found.iter_mut().find(|(name, _)| *name == account.name) {
                Some(known) => known.1 = By::PrimaryGroup,
                None => found.push((account.name.clone(), By::PrimaryGroup)),
            }
        }
        found
    }

    /// Whether this name is in a group of these names or numbers.
    pub(super) fn is_in(&self, name: &str, group: &Group) -> bool {
        self.members(group).iter().any(|(member, _)| member == name)
    }

    /// Whether an account is a person's: none of the system's, and one that logs in.
    pub(super) fn is_person(&self, account: &Account) -> bool {
        let shell = account.shell.rsplit('/').next().unwrap_or_default();
        // A policy could not name one whose name stint does not take.
        account.name.parse::<UserName>().is_ok()
            && !accounts::is_system(Uid(account.uid), self.first_person)
            && !matches!(shell, "nologin" | "false" | "true" | "sync")
    }
}

fn account(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let (_, home, shell) = (fields.next()?, fields.next()?, fields.next().unwrap_or_default());
    let is_name = !name.is_empty() && !name.starts_with(['#', '+', '-']);
    is_name.then(|| Account {
        name: name.to_owned(),
        uid,
        gid,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

fn group(line: &str, owned: &BTreeSet<(String, String)>) -> Option<Group> {
    let mut fields = line.split(':');
    let (name, _) = (fields.next()?, fields.next()?);
    let gid = fields.next()?.parse().ok()?;
    if name.is_empty() || name.starts_with(['#', '+', '-']) {
        return None;
    }
    let is_standing = |member: &&str| {
        !member.is_empty() && !owned.contains(&((*member).to_owned(), name.to_owned()))
    };
    let members = fields.next().unwrap_or_default().split(',').map(str::trim).filter(is_standing);
    Some(Group { name: name.to_owned(), gid, members: members.map(str::to_owned).collect() })
}
