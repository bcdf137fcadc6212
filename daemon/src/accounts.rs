//! The host's accounts and groups, as its name service knows them. Reads only. Any of these may
//! hang where accounts come from the network: the caller puts a limit around them.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, User, getgrouplist};
use stint_proto::{GroupName, Uid, UserName};

use crate::passwd::Passwd;

/// Accounts below this are the system's, unless /etc/login.defs says otherwise.
const FIRST_REGULAR_UID: u32 = 1000;
const NOBODY: Uid = Uid(65534);

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: Uid,
    /// Its primary group's number.
    pub gid: u32,
    /// Its name.
    pub name: UserName,
}

/// Why there is no answer, or why the account may hold no grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountError {
    /// There is none of this name.
    Unknown {
        /// The name.
        name: UserName,
    },
    /// The database knows the number under another name first.
    SharedUid {
        /// The name asked for.
        name: UserName,
        /// The number.
        uid: Uid,
        /// The name that it has, escaped.
        first: String,
    },
    /// The database answered with another name than it was asked for.
    OtherName {
        /// The name asked for.
        name: UserName,
        /// The name in the answer, escaped.
        found: String,
    },
    /// It is root.
    Root {
        /// The name.
        name: UserName,
    },
    /// It is the system's.
    System {
        /// The name.
        name: UserName,
        /// The number.
        uid: Uid,
    },
    /// There is no group of this name.
    UnknownGroup {
        /// The name.
        group: GroupName,
    },
    /// The database failed.
    Database {
        /// What was asked.
        asked: String,
        /// Why.
        error: Errno,
    },
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "there is no account \"{name}\" on this host"),
            Self::SharedUid { name, uid, first } => write!(
                f,
                "\"{name}\" shares uid {uid} with \"{first}\": give each account a uid of its own"
            ),
            Self::OtherName { name, found } => {
                write!(f, "the account \"{name}\" is called \"{found}\": use that name")
            }
            Self::Root { name } => {
                write!(f, "\"{name}\" is root, who needs no grant and is always let in")
            }
            Self::System { name, uid } => write!(
                f,
                "\"{name}\" is a system account (uid {uid}): it may hold a role only if the policy \
                 names it"
            ),
            Self::UnknownGroup { group } => {
                write!(f, "there is no group \"{group}\" on this host")
            }
            Self::Database { asked, error } => {
                write!(f, "the account database failed when asked for {asked}: {}", error.desc())
            }
        }
    }
}

impl std::error::Error for AccountError {}

fn database(asked: impl fmt::Display) -> impl FnOnce(Errno) -> AccountError {
    let asked = asked.to_string();
    move |error| AccountError::Database { asked, error }
}

/// The answer, where "no such entry" is one: getpwnam_r(3) lists the errors that mean it.
fn found<T>(answer: nix::Result<Option<T>>) -> nix::Result<Option<T>> {
    match answer {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        other => other,
    }
}

/// The account of this name; `None` if there is none.
///
/// # Errors
/// When the database fails, or answers with another name.
pub fn by_name(name: &UserName) -> Result<Option<Account>, AccountError> {
    let user = found(User::from_name(name.as_str())).map_err(database(name))?;
    let Some(user) = user else { return Ok(None) };
    if user.name != name.as_str() {
        let found = user.name.escape_default().to_string();
        return Err(AccountError::OtherName { name: name.clone(), found });
    }
    Ok(Some(Account { uid: Uid(user.uid.as_raw()), gid: user.gid.as_raw(), name: name.clone() }))
}

/// The first account with this number; `None` if there is none, or none with a name that stint
/// takes.
///
/// # Errors
/// When the database fails.
pub fn by_uid(uid: Uid) -> Result<Option<Account>, AccountError> {
    let asked = unistd::Uid::from_raw(uid.0);
    let user = found(User::from_uid(asked)).map_err(database(format_args!("uid {uid}")))?;
    Ok(user.and_then(|user| {
        Some(Account { uid, gid: user.gid.as_raw(), name: user.name.parse().ok()? })
    }))
}

/// The account of this name, if it may hold a grant. `named_in_policy` is whether the policy names
/// this very user, which is what a system account needs.
///
/// # Errors
/// [`AccountError`] says why it may not.
pub fn resolve_for_grant(name: &UserName, named_in_policy: bool) -> Result<Account, AccountError> {
    let account = by_name(name)?.ok_or_else(|| AccountError::Unknown { name: name.clone() })?;
    if account.uid == Uid::ROOT {
        return Err(AccountError::Root { name: name.clone() });
    }
    has_own_number(&account)?;
    let uid = account.uid;
    if !named_in_policy && is_system(uid, first_regular_uid()) {
        return Err(AccountError::System { name: name.clone(), uid });
    }
    Ok(account)
}

/// Refuses an account whose number the database knows under another name first.
///
/// # Errors
/// [`AccountError::SharedUid`], or when the database fails.
pub fn has_own_number(account: &Account) -> Result<(), AccountError> {
    let (uid, name) = (account.uid, account.name.clone());
    let asked = unistd::Uid::from_raw(uid.0);
    let first = found(User::from_uid(asked)).map_err(database(format_args!("uid {uid}")))?;
    let first = first.map_or_else(String::new, |user| user.name);
    if first == name.as_str() {
        return Ok(());
    }
    let first = first.escape_default().to_string();
    Err(AccountError::SharedUid { name, uid, first })
}

/// Whether a number is one of the system's accounts, where those of people begin so high.
#[must_use]
pub fn is_system(uid: Uid, first_regular: u32) -> bool {
    uid.0 < first_regular || uid == NOBODY
}

/// From which number on accounts are people's.
#[must_use]
pub fn first_regular_uid() -> u32 {
    let text = fs::read_to_string("/etc/login.defs").unwrap_or_default();
    uid_min(&text).unwrap_or(FIRST_REGULAR_UID)
}

/// `UID_MIN` of the text of login.defs.
fn uid_min(text: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("UID_MIN")).then(|| words.next()?.parse().ok()).flatten()
    })
}

/// Whether there is a group of this name.
///
/// # Errors
/// When the database fails.
pub fn group_exists(group: &GroupName) -> Result<bool, AccountError> {
    gid_of(group).map(|gid| gid.is_some())
}

/// The number of the group of this name.
///
/// # Errors
/// When there is none, or the database fails.
pub fn gid(group: &GroupName) -> Result<u32, AccountError> {
    let gid = gid_of(group)?.ok_or_else(|| AccountError::UnknownGroup { group: group.clone() })?;
    Ok(gid.as_raw())
}

fn gid_of(group: &GroupName) -> Result<Option<Gid>, AccountError> {
    let asked = format!("group {group}");
    let answer = found(Group::from_name(group.as_str())).map_err(database(asked))?;
    Ok(answer.map(|group| group.gid))
}

/// The numbers of all groups that the user would log in with now.
fn gids_of(user: &UserName) -> Result<Vec<Gid>, AccountError> {
    let account = by_name(user)?.ok_or_else(|| AccountError::Unknown { name: user.clone() })?;
    let failed = |error| AccountError::Database { asked: format!("the groups of {user}"), error };
    let name = CString::new(user.as_str()).map_err(|_| failed(Errno::EINVAL))?;
    getgrouplist(&name, Gid::from_raw(account.gid)).map_err(failed)
}

/// Whether the user would log in with this group now; asked afresh each time.
///
/// # Errors
/// When there is no such user or group, or the database fails.
pub fn is_member(user: &UserName, group: &GroupName) -> Result<bool, AccountError> {
    let gid = Gid::from_raw(gid(group)?);
    Ok(gids_of(user)?.contains(&gid))
}

/// The user's groups without those in `given`, which stint itself gave. A group whose name stint
/// does not take is left out: it makes nobody eligible.
///
/// # Errors
/// When there is no such user, or the database fails.
pub fn standing_groups(
    user: &UserName,
    given: &[GroupName],
) -> Result<BTreeSet<GroupName>, AccountError> {
    let mut given_gids = BTreeSet::new();
    for group in given {
        given_gids.extend(gid_of(group)?.map(Gid::as_raw));
    }
    let mut standing = BTreeSet::new();
    for gid in gids_of(user)? {
        if given_gids.contains(&gid.as_raw()) {
            continue;
        }
        let group = found(Group::from_gid(gid)).map_err(database(format_args!("gid {gid}")))?;
        standing.extend(group.and_then(|group| group.name.parse::<GroupName>().ok()));
    }
    Ok(standing)
}

/// Who is in the group: as its entry lists them, and, of the accounts in /etc/passwd, those whose own
/// group it is; `None` if there is no such group. Names that stint does not take are left out.
///
/// # Errors
/// When the database fails.
pub fn members(group: &GroupName) -> Result<Option<BTreeSet<UserName>>, AccountError> {
    let entry = found(Group::from_name(group.as_str()));
    let Some(entry) = entry.map_err(database(format_args!("group {group}")))? else {
        return Ok(None);
    };
    let mut names = entry.mem;
    if let Some(passwd) = Passwd::read(Path::new("/etc")) {
        names.extend(passwd.of_primary_group(entry.gid.as_raw()));
    }
    Ok(Some(names.iter().filter_map(|name| name.parse().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserName {
        name.parse().unwrap()
    }

    #[test]
    fn refuses_who_may_hold_nothing() {
        let unknown = resolve_for_grant(&user("alcie"), true).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no account \"alcie\" on this host");
        let root = resolve_for_grant(&user("root"), true);
        assert_eq!(root, Err(AccountError::Root { name: user("root") }));
        let system = resolve_for_grant(&user("daemon"), false);
        assert!(matches!(system, Err(AccountError::System { .. })), "{system:?}");
        let nobody = resolve_for_grant(&user("nobody"), false);
        assert!(matches!(nobody, Err(AccountError::System { .. })), "{nobody:?}");
    }

    #[test]
    fn a_system_account_that_the_policy_names_is_taken() {
        let account = resolve_for_grant(&user("daemon"), true).unwrap();
        assert_eq!(by_uid(account.uid).unwrap(), Some(account));
    }

    #[test]
    fn nobody_is_in_a_group_that_is_not() {
        let group: GroupName = "no-such-group".parse().unwrap();
        assert!(!group_exists(&group).unwrap());
        let asked = is_member(&user("daemon"), &group);
        assert_eq!(asked, Err(AccountError::UnknownGroup { group }));
        let root: GroupName = "root".parse().unwrap();
        assert!(!is_member(&user("daemon"), &root).unwrap());
    }

    #[test]
    fn what_stint_gave_is_not_standing() {
        let group: GroupName = "daemon".parse().unwrap();
        assert!(standing_groups(&user("daemon"), &[]).unwrap().contains(&group));
        let standing = standing_groups(&user("daemon"), std::slice::from_ref(&group)).unwrap();
        assert!(!standing.contains(&group));
    }

    #[test]
    fn the_first_regular_uid_comes_from_login_defs() {
        assert_eq!(uid_min("# UID_MIN 5\nSYS_UID_MIN 100\nUID_MIN\t\t 500\n"), Some(500));
        assert_eq!(uid_min("UID_MIN lots\n"), None);
        assert!(is_system(Uid(499), 500) && !is_system(Uid(500), 500) && is_system(NOBODY, 500));
    }
}
