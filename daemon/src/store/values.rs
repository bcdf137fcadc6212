//! What the state holds, as values: what is written, and what is found at the start.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use stint_policy::SourceFile;
use stint_proto::{
    Attestation, GrantId, GroupName, Length, Residue, RoleName, Timestamp, Uid, UserName, words,
};

use super::floods::Count;
use super::{HookWrite, LastSerial, OutboxEvent, SignedPolicy, StoredGrant, TakenDocument};
use crate::domain::control_group::Group;
use crate::domain::grant::Grant;
use crate::domain::human::Process;
use crate::domain::request::{Approval, Request};
use crate::record::Entry;
use crate::residue::{Picture, Report};

words! {
    /// How a membership was given.
    #[derive(PartialOrd, Ord)]
    Backend {
        /// /etc/group and /etc/gshadow.
        Files = "files",
        /// A drop-in of nss-systemd.
        Userdb = "userdb",
    }
}

/// A membership that stint itself has given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// Who.
    pub user: UserName,
    /// In which group.
    pub group: GroupName,
    /// By which backend.
    pub backend: Backend,
}

/// What a running grant confers no more, because somebody took it away by hand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Withdrawn {
    /// Which grant.
    pub grant: GrantId,
    /// Whose.
    pub user: UserName,
    /// What.
    pub what: Conferred,
}

/// What a grant puts into a file of the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Conferred {
    /// A membership.
    Group(GroupName),
    /// Its sudo rules.
    SudoRules,
}

impl fmt::Display for Conferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group {group}"),
            Self::SudoRules => f.write_str("sudo rules"),
        }
    }
}

/// A holder's account that is in /etc/passwd, so that this file alone says what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAccount {
    /// By name.
    pub user: UserName,
    /// By number.
    pub uid: Uid,
    /// The other names that this number had there already.
    pub others: BTreeSet<String>,
}

/// A session that the module has reported.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id, known to the module alone.
    pub id: String,
    /// The grant it runs under, if one opened the door.
    pub grant: Option<GrantId>,
    /// Whose.
    pub user: String,
    /// Whose, by number.
    pub uid: Uid,
    /// Through which door.
    pub service: String,
    /// On which terminal.
    pub tty: String,
    /// The process that opened it: everything under it is part of it.
    pub process: Process,
    /// The control group that it is in, if it has one of its own.
    pub group: Option<Group>,
    /// Since when.
    pub opened_at: Timestamp,
}

impl Session {
    /// Whether the name of its control group says that it runs under this grant.
    #[must_use]
    pub fn is_named_by(&self, grant: &GrantId) -> bool {
        self.group.as_ref().is_some_and(|group| group.grants().contains(grant))
    }
}

/// Processes that are to be ended, because what they were let have is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// Which.
    pub of: EvictionOf,
    /// Whose.
    pub user: UserName,
    /// They are only named, and go on.
    pub leave: bool,
    /// How long they have between the polite signal and SIGKILL.
    pub grace: Length,
}

/// Which processes are to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvictionOf {
    /// The sessions of a grant.
    Sessions {
        /// Which grant.
        grant: GrantId,
        /// Of which role.
        role: RoleName,
        /// Its holder, by number.
        uid: Uid,
    },
    /// Those that carry a group which stint has taken back.
    Group {
        /// Which group.
        group: GroupName,
        /// Its holder, by number, where that is known: the account may be gone or renamed.
        uid: Option<Uid>,
    },
}

/// A picture as it is kept, once for all that begin with it.
#[derive(Debug)]
pub struct FirstPicture {
    /// Which it is.
    pub digest: String,
    /// The picture, as JSON.
    pub text: String,
}

/// How the host was when a grant began.
#[derive(Clone, Debug)]
pub struct FirstLook {
    /// When that was.
    pub since: Timestamp,
    /// The picture; none where it is still to be taken.
    pub picture: Option<Arc<FirstPicture>>,
}

/// A grant that is over, and what it is compared with.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The grant.
    pub grant: Grant,
    /// Which picture; none where none was taken before it was over.
    pub digest: Option<String>,
    /// From when it is.
    pub since: Timestamp,
    /// That was after the grant had begun.
    pub late: bool,
    /// In which boot it was taken.
    pub boot_id: String,
}

/// What a grant left, and what was found.
#[derive(Clone, Debug)]
pub struct Left {
    /// Which grant.
    pub grant: GrantId,
    /// From when the picture is that it was compared with.
    pub since: Timestamp,
    /// That was after the grant had begun.
    pub late: bool,
    /// When it was looked again.
    pub until: Timestamp,
    /// How many files were looked at then.
    pub files: u32,
    /// How long that took, in microseconds.
    pub micros: i64,
    /// What was found.
    pub report: Arc<Report>,
}

/// Grants that are over, and the pictures they are compared with, by their digests.
pub type ToCompare = (Vec<Compared>, HashMap<String, Picture>);

/// Some grants as a review reads them.
#[derive(Debug, Default)]
pub struct GrantsRead {
    /// The grants.
    pub grants: Vec<Grant>,
    /// Who approved them.
    pub approvals: HashMap<GrantId, Vec<Approval>>,
    /// What they left; the first things of it by name.
    pub residues: HashMap<GrantId, Residue>,
    /// The last reviewer's word on each.
    pub attested: HashMap<GrantId, Attestation>,
    /// The last grant that was looked at; none where nothing is left.
    pub next: Option<(Timestamp, GrantId)>,
}

/// One change to the state.
#[derive(Clone, Debug)]
pub enum Write {
    /// A grant, new or in a new stage. What has ended cannot be written again.
    Grant(Grant),
    /// A request, new or in a new stage. What is over cannot be written again.
    Request(Request),
    /// stint is about to give this membership.
    Owned(Membership),
    /// stint has taken it back, or found that it is standing.
    Disowned(Membership),
    /// An event.
    Record(Entry),
    /// How many of the same denial there are so far, which is no link yet.
    Counted(Count),
    /// A count that is over, and a link from now on.
    CountOver(Count),
    /// The wall clock was seen here.
    HighWater(Timestamp),
    /// The wall clock is this now, though it was seen later before.
    ClockTaken(Timestamp),
    /// This policy is in force now.
    PolicyInForce(Vec<SourceFile>),
    /// This signed policy is kept now.
    SignedPolicy(SignedPolicy, LastSerial),
    /// This grant or revocation was taken.
    Document(TakenDocument),
    /// A session began.
    SessionOpened(Session),
    /// A session ended.
    SessionClosed(String),
    /// Sessions and other processes of another boot ended with it.
    OldSessionsForgotten,
    /// These processes are to be ended; known until it is done.
    EvictionOwed(Eviction),
    /// They are ended, or were named.
    EvictionDone(Eviction),
    /// These processes have the group already which stint is about to give.
    Carriers(Membership, Vec<Process>),
    /// How the host was when this grant began.
    Begun(GrantId, FirstLook),
    /// The same, later, for all that run and of which nothing is known.
    SeenLate(FirstLook),
    /// What a grant left.
    Left(Left),
    /// Pictures that nothing is compared with any more may go.
    PicturesForgotten,
    /// These standing privileges are there, by their keys.
    StandingSeen {
        /// When it was looked.
        at: Timestamp,
        /// What is there.
        keys: BTreeSet<String>,
        /// Everything could be looked at.
        all: bool,
    },
    /// This membership was found in its place.
    Seen(Membership),
    /// Somebody took this away by hand.
    Withdrawn(Withdrawn),
    /// What was withdrawn of this grant matters no longer.
    WithdrawnOver(GrantId),
    /// Whose rules are in the sudo rule file.
    Ruled {
        /// From now on.
        come: Vec<GrantId>,
        /// No longer.
        gone: Vec<GrantId>,
    },
    /// This account is this host's own.
    Local(LocalAccount),
    /// It holds nothing any more.
    LocalForgotten(UserName, Uid),
    /// What a reviewer said.
    Attested(Attestation),
    /// Hooks are to be told of this.
    Outbox(OutboxEvent),
    /// How far hooks have been told.
    Hooks(HookWrite),
}

impl Write {
    /// How many events are lost with it; 1 for what is none, as something is lost all the same.
    pub(super) fn events(&self) -> u64 {
        match self {
            Self::CountOver(count) => count.entry.repeated.map_or(1, |repeated| repeated.count),
            _ => 1,
        }
    }
}

/// What the state holds at the start.
pub struct Loaded {
    /// Every grant that is scheduled or active.
    pub grants: Vec<StoredGrant>,
    /// Every request that is pending.
    pub requests: Vec<Request>,
    /// What stint has added and not yet taken back, and whether it was seen in its place.
    pub memberships: Vec<(Membership, bool)>,
    /// What somebody took away by hand.
    pub withdrawn: BTreeSet<Withdrawn>,
    /// Whose rules are in the sudo rule file.
    pub ruled: BTreeSet<GrantId>,
    /// Whose accounts are this host's own.
    pub local_accounts: Vec<LocalAccount>,
    /// Sessions of this boot that have not ended.
    pub sessions: Vec<Session>,
    /// Processes that are still to be ended.
    pub evictions: Vec<Eviction>,
    /// Who had a group, in this boot, before stint gave it.
    pub carriers: BTreeMap<(UserName, GroupName), Vec<Process>>,
    /// The text of the policy that was in force last; empty on a new host.
    pub policy: Vec<SourceFile>,
    /// The signed policy that is kept.
    pub signed: Option<SignedPolicy>,
    /// The last serial of a signed policy.
    pub serial: Option<LastSerial>,
    /// The latest wall clock ever recorded.
    pub high_water: Timestamp,
}
