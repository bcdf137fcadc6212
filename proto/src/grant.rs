//! A grant as it is shown: to its holder, to root, on the bus and in JSON.

use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{
    GrantId, GroupName, RequestId, Residue, RoleName, ServiceName, Timestamp, Uid, UserName, words,
};

words! { wire;
    /// Where a grant is in its life.
    GrantState {
        /// It starts later.
        Scheduled = "scheduled",
        /// It is held now.
        Active = "active",
        /// It is over.
        Ended = "ended",
    }
}

words! { wire;
    /// How a grant ended.
    EndReason {
        /// By the clock.
        Expired = "expired",
        /// By somebody else.
        Revoked = "revoked",
        /// By its holder.
        Dropped = "dropped",
        /// By the policy: its entry, its role or its ground went, or its holder's account did.
        Policy = "policy",
    }
}

words! { wire;
    /// Where a grant comes from.
    Origin {
        /// A request that was approved.
        Request = "request",
        /// Root, by `stint grant`.
        Admin = "admin",
        /// A `[[grants]]` entry of the policy.
        Policy = "policy",
        /// A signed document of a remote source.
        Remote = "remote",
        /// A break-glass role.
        BreakGlass = "break-glass",
    }
}

/// A grant: a role held by a user for a while (`a{sv}` on the wire).
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who holds it, by name.
    pub user: UserName,
    /// Who holds it, by number; both have to match at the gate.
    pub uid: Uid,
    /// What is held.
    pub role: RoleName,
    /// Where it is in its life.
    pub state: GrantState,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when at the latest.
    pub expires_at: Timestamp,
    /// When it really ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end_reason: Option<EndReason>,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is for, as typed.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
    /// Who gave it: an account's name, or `policy`.
    pub granted_by: String,
    /// Who approved it.
    pub approvals: Vec<UserName>,
    /// The request that it came of.
    pub request: Option<RequestId>,
    /// For the use of a break-glass role: who has reviewed it.
    pub reviewed_by: Option<String>,
    /// The doors that it opens.
    pub services: Vec<ServiceName>,
    /// The groups that it gives.
    pub groups: Vec<GroupName>,
    /// The polkit actions that it allows.
    pub polkit: Vec<String>,
    /// What it left, once that was looked at; told to those alone who may read the record, or are
    /// to review it.
    pub residue: Option<Residue>,
    /// What it confers no more, as somebody took it away by hand: `group docker`, `sudo rules`.
    pub without: Vec<String>,
}
