//! A request as it is shown, and what is said about it: asked, approved, denied, taken back.

use serde::{Deserialize, Serialize};
use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{
    GrantId, GroupName, Length, PamItems, RequestId, RoleName, Timestamp, Uid, UserName, words,
};

words! { wire;
    /// Where a request is in its life. All but the first are ends; nothing leads back.
    RequestState {
        /// It awaits approvals.
        Pending = "pending",
        /// It was granted.
        Approved = "approved",
        /// An approver said no.
        Denied = "denied",
        /// The requester took it back.
        Cancelled = "cancelled",
        /// Nobody said yes in time, or what it rested on is gone.
        Lapsed = "lapsed",
    }
}

/// A request: somebody eligible asks for a role, or for more time with one (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Who asks, by name.
    pub user: UserName,
    /// Who asks, by number.
    pub uid: Uid,
    /// For what.
    pub role: RoleName,
    /// Where it is in its life.
    pub state: RequestState,
    /// For how long; counted from when it is granted, or from `starts_at`.
    pub duration: Length,
    /// From when, if not at once.
    pub starts_at: Option<Timestamp>,
    /// What for, as typed; empty where the role asks for no reason.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it lapses if it is still pending.
    pub lapses_at: Timestamp,
    /// When it stopped being pending.
    pub ended_at: Option<Timestamp>,
    /// Who has approved it.
    pub approvals: Vec<UserName>,
    /// How many approvals it needs.
    pub approvals_needed: u32,
    /// Who may approve it, as the policy writes them: `bob`, `%leads`.
    pub approvers: Vec<String>,
    /// The grant that came of it.
    pub grant: Option<GrantId>,
    /// The grant that it would extend; absent where it asks for a new one.
    pub extends: Option<GrantId>,
    /// Who ended it: an account's name, or `policy`; absent while it is pending.
    pub ended_by: Option<String>,
    /// Why it was denied or has lapsed.
    pub note: Option<String>,
    /// What the role confers, a line each: what an approver says yes to.
    pub confers: Vec<String>,
    /// A hash over everything an approver says yes to; an approval names it.
    pub digest: String,
}

/// What `stint request` asks for.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct RequestOrder {
    /// Which role.
    pub role: RoleName,
    /// For how long; the role's default if absent.
    pub duration: Option<Length>,
    /// From when; at once if absent.
    pub starts_at: Option<Timestamp>,
    /// What for.
    pub reason: Option<String>,
    /// The ticket it refers to.
    pub ticket: Option<String>,
}

/// What `stint extend` asks for.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct ExtendOrder {
    /// The grant whose id begins like this, if only one does.
    pub id: GrantId,
    /// By how much its end is moved.
    pub duration: Length,
    /// What for; the grant's own reason if absent.
    pub reason: Option<String>,
}

/// An approver's yes.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct ApproveOrder {
    /// The request whose id begins like this, if only one does.
    pub id: RequestId,
    /// The digest that was shown: an approval is of what was seen, and of nothing else.
    pub digest: String,
    /// What the approver has to say.
    pub note: Option<String>,
}

/// An approver's no.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct DenyOrder {
    /// The request whose id begins like this, if only one does.
    pub id: RequestId,
    /// Why.
    pub reason: String,
}

/// What the holder gives back: the grant of this id, or, without one, the only one they hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct DropOrder {
    /// The grant whose id begins like this, if only one does.
    pub id: Option<GrantId>,
}

/// Marks the use of a break-glass role as reviewed.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict", deny_unknown_fields)]
pub struct ReviewOrder {
    /// The grant whose id begins like this, if only one does.
    pub id: GrantId,
    /// What was found.
    pub note: String,
}

/// A role that would open the door at which somebody was denied, and that they may ask for there
/// and then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Offer {
    /// The role.
    pub role: RoleName,
    /// Whether a reason has to be given.
    pub reason: bool,
    /// Whether a ticket has to be given.
    pub ticket: bool,
}

/// What the module asks for on behalf of the person at the door: the role is one of those offered,
/// what was typed is empty where nothing was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct DoorRequest {
    /// What PAM says of the call.
    pub items: PamItems,
    /// The role.
    pub role: String,
    /// What for.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: String,
}

/// A request of the past with what was known of its requester then, for a policy to be tried on.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct PastRequest {
    /// The request.
    pub request: Request,
    /// The groups in which the requester stood.
    pub groups: Vec<GroupName>,
}
