//! Standing privilege: what somebody holds on a host with no end, as it is shown.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{RoleName, Timestamp, Uid, words};

words! { wire;
    /// By what somebody holds a privilege.
    #[derive(PartialOrd, Ord)]
    StandingKind {
        /// A second name of uid 0.
        Uid0 = "uid-0",
        /// A rule of sudo that names them, or everybody, or a netgroup.
        Sudo = "sudo",
        /// Being in a group.
        Group = "group",
        /// A rule of doas that names them.
        Doas = "doas",
        /// polkit takes them for an administrator.
        Polkit = "polkit",
        /// A key that logs in as root.
        Key = "root-key",
        /// A password that logs in as root.
        Password = "root-password",
        /// A program that runs with root's rights, whoever starts it.
        Setuid = "setuid",
        /// A program with capabilities that lead to root's.
        Capability = "capability",
    }
}

words! { wire;
    /// How far a privilege goes.
    #[derive(PartialOrd, Ord)]
    StandingWeight {
        /// It is root's, or one step away from it.
        Root = "root",
        /// It leads to root with work or luck: it reads what should be secret.
        Near = "near",
        /// It may or may not: whether this one command or program leads further is not known.
        Unknown = "unknown",
    }
}

words! { wire;
    /// How `stint standing --adopt` would end it.
    StandingEnd {
        /// By taking them out of the group.
        Group = "group",
        /// By making the rule of sudo a comment.
        SudoRule = "sudo-rule",
        /// Not at all: it is ended by hand.
        ByHand = "by-hand",
    }
}

/// One privilege of one holder (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct StandingPrivilege {
    /// By what it is held.
    pub kind: StandingKind,
    /// How far it goes.
    pub weight: StandingWeight,
    /// Whether it is one of those that are counted.
    pub counts: bool,
    /// Who holds it: an account's name; `everybody`; `+NAME` for a netgroup, `%:NAME` for a group
    /// that only sudo's plugin knows.
    pub who: String,
    /// The account's number, where there is such an account.
    pub uid: Option<Uid>,
    /// Whether it is a person's: an account that logs in, and none of the system's.
    pub person: bool,
    /// By what exactly, in a few words.
    pub how: String,
    /// Why that is root's privilege, a line each.
    pub why: Vec<String>,
    /// Since when this is known.
    pub since: Timestamp,
    /// How adopting would end it.
    pub end: StandingEnd,
    /// What ends it by hand: a command, or a sentence.
    pub by_hand: String,
    /// The group, where it comes by one.
    pub group: Option<String>,
    /// The file that gives it, where it is one file.
    pub path: Option<String>,
    /// The first line of the rule in it, from 1.
    pub line: Option<u32>,
    /// The rule as it is written there, all its lines.
    pub rule: Option<String>,
    /// Everybody whom the rule names, as a policy would: `alice`, `%engineers`.
    pub principals: Vec<String>,
    /// What a role would have to give instead: `sudo` for everything as root, `group NAME` for a
    /// membership; absent where no role could.
    pub instead: Option<String>,
    /// Whether the rule asks for no password.
    pub nopasswd: bool,
}

/// A role by which somebody could have it for a while instead (`(sss)` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct StandingWay {
    /// Who: an account.
    pub user: String,
    /// Which role.
    pub role: RoleName,
    /// What: `sudo` for everything as root, `group NAME` for a membership.
    pub gives: String,
}

/// What is held with no end on a host (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Standing {
    /// When it was looked.
    pub at: Timestamp,
    /// How many of them count.
    pub count: u32,
    /// All of them, by holder.
    pub held: Vec<StandingPrivilege>,
    /// What could not be looked at, or is read otherwise than it seems, a line each.
    pub unseen: Vec<String>,
    /// Which roles in force their holders are eligible for, and that somebody could grant.
    pub ways: Vec<StandingWay>,
    /// Which of their holders pass the gate without a grant.
    pub exempt: Vec<String>,
    /// How root gets in when nobody else does, a line each; empty if there is no way.
    pub ways_of_root: Vec<String>,
}

/// What `stint standing --adopt --apply`, or `--restore`, has changed (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct StandingChange {
    /// Whether it was adopted; otherwise it was restored.
    pub adopted: bool,
    /// What was changed, a line each.
    pub lines: Vec<String>,
}
