//! A request and its life: pending, then approved, denied, cancelled or lapsed. Every transition is
//! a method that says whether it took place; nothing leads back, and no grant comes of a request
//! that lacks an approval.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stint_policy::Role;
use stint_proto::{
    GrantId, GroupName, Length, Request as Shown, RequestId, RequestState, RoleName, Timestamp,
    Uid, UserName,
};

/// Somebody eligible asks for a role, or for more time with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// Who asks, by name.
    pub user: UserName,
    /// Who asks, by number.
    pub uid: Uid,
    /// For what.
    pub role: RoleName,
    /// For how long.
    pub duration: Length,
    /// From when, if not at once.
    pub starts_at: Option<Timestamp>,
    /// What for, as typed.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
    /// The grant that it would extend.
    pub extends: Option<GrantId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it lapses if it is still pending.
    pub lapses_at: Timestamp,
    /// The groups in which the requester stood when it was made.
    pub groups: BTreeSet<GroupName>,
    /// What the policy says of the role, as far as an approver says yes to it.
    pub terms: Terms,
    /// Who has said yes so far.
    pub approvals: Vec<Approval>,
    /// Where it is in its life.
    pub stage: Stage,
}

/// What the policy says of a role, as far as an approver says yes to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// What it confers, a line each.
    pub confers: Vec<String>,
    /// How many approvals it takes.
    pub approvals_needed: u32,
    /// Who may give them, as the policy writes them.
    pub approvers: Vec<String>,
}

impl Terms {
    /// The terms of this role.
    #[must_use]
    pub fn of(role: &Role) -> Self {
        Self {
            confers: role.confers(),
            approvals_needed: role.approvals_needed(),
            approvers: role.approvers.iter().map(ToString::to_string).collect(),
        }
    }
}

/// One approver's yes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Whose, by name.
    pub user: UserName,
    /// Whose, by number.
    pub uid: Uid,
    /// When.
    pub at: Timestamp,
    /// What they had to say.
    pub note: Option<String>,
    /// With which key they signed it (`SHA256:…`), where they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Where a request is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It awaits approvals.
    Pending,
    /// It is over.
    Ended {
        /// How.
        how: End,
        /// Since when.
        at: Timestamp,
        /// Who ended it: an account's name, or `policy`.
        by: String,
    },
}

/// How a request ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// This grant came of it, or was extended by it.
    Approved(GrantId),
    /// An approver said no, and why.
    Denied(String),
    /// The requester took it back.
    Cancelled,
    /// Nobody said yes in time, or what it rested on is gone: which.
    Lapsed(String),
}

impl End {
    /// The word for it.
    #[must_use]
    pub const fn state(&self) -> RequestState {
        match self {
            Self::Approved(_) => RequestState::Approved,
            Self::Denied(_) => RequestState::Denied,
            Self::Cancelled => RequestState::Cancelled,
            Self::Lapsed(_) => RequestState::Lapsed,
        }
    }
}

/// Why an approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoApproval {
    /// The request is not pending.
    Over,
    /// It is the approver's own request.
    Own,
    /// They have approved it already.
    Twice,
    /// Another approval of it is signed with the same key.
    SameKey,
    /// It is of something else than what was shown.
    OtherDigest,
}

impl Request {
    /// A hash over everything an approver says yes to.
    #[must_use]
    pub fn digest(&self) -> String {
        self.shown().digest
    }

    /// Whether it awaits approvals.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.stage == Stage::Pending
    }

    /// How many approvals are still missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        let given = u32::try_from(self.approvals.len()).unwrap_or(u32::MAX);
        self.terms.approvals_needed.saturating_sub(given)
    }

    /// Whether its time to be pending is over.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_pending() && now >= self.lapses_at
    }

    /// Takes an approval of what `digest` stands for.
    ///
    /// # Errors
    /// [`NoApproval`]; then nothing has changed.
    pub fn approve(&mut self, approval: Approval, digest: &str) -> Result<(), NoApproval> {
        if !self.is_pending() || self.missing() == 0 || self.is_due(approval.at) {
            return Err(NoApproval::Over);
        }
        // By number: two names with one number are one person.
        if approval.uid == self.uid || approval.user == self.user {
            return Err(NoApproval::Own);
        }
        if self.approvals.iter().any(|a| a.uid == approval.uid || a.user == approval.user) {
            return Err(NoApproval::Twice);
        }
        // Whoever has the key is one person, whatever names it was given.
        if approval.key.is_some() && self.approvals.iter().any(|a| a.key == approval.key) {
            return Err(NoApproval::SameKey);
        }
        if digest != self.digest() {
            return Err(NoApproval::OtherDigest);
        }
        self.approvals.push(approval);
        Ok(())
    }

    /// Pending → approved, with the grant that comes of it. `false` if it was not pending, has
    /// lapsed, or lacks an approval.
    pub fn granted(&mut self, grant: GrantId, at: Timestamp, by: &str) -> bool {
        if self.missing() > 0 || self.is_due(at) {
            return false;
        }
        self.end(End::Approved(grant), at, by)
    }

    /// Pending → denied. `false` if it was not pending.
    pub fn deny(&mut self, why: String, at: Timestamp, by: &str) -> bool {
        self.end(End::Denied(why), at, by)
    }

    /// Pending → cancelled. `false` if it was not pending.
    pub fn cancel(&mut self, at: Timestamp, by: &str) -> bool {
        self.end(End::Cancelled, at, by)
    }

    /// Pending → lapsed. `false` if it was not pending.
    pub fn lapse(&mut self, why: String, at: Timestamp) -> bool {
        self.end(End::Lapsed(why), at, "policy")
    }

    fn end(&mut self, how: End, at: Timestamp, by: &str) -> bool {
        if !self.is_pending() {
            return false;
        }
        self.stage = Stage::Ended { how, at, by: by.to_owned() };
        true
    }

    /// As it is shown.
    #[must_use]
    pub fn shown(&self) -> Shown {
        let (state, ended_at, ended_by, grant, note) = match &self.stage {
            Stage::Pending => (RequestState::Pending, None, None, None, None),
            Stage::Ended { how, at, by } => {
                let (grant, note) = match how {
                    End::Approved(grant) => (Some(grant.clone()), None),
                    End::Denied(why) | End::Lapsed(why) => (None, Some(why.clone())),
                    End::Cancelled => (None, None),
                };
                (how.state(), Some(*at), Some(by.clone()), grant, note)
            }
        };
        let mut shown = Shown {
            id: self.id.clone(),
            user: self.user.clone(),
            uid: self.uid,
            role: self.role.clone(),
            state,
            duration: self.duration,
            starts_at: self.starts_at,
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            created_at: self.created_at,
            lapses_at: self.lapses_at,
            ended_at,
            approvals: self.approvals.iter().map(|approval| approval.user.clone()).collect(),
            approvals_needed: self.terms.approvals_needed,
            approvers: self.terms.approvers.clone(),
            grant,
            extends: self.extends.clone(),
            ended_by,
            note,
            confers: self.terms.confers.clone(),
            digest: String::new(),
        };
        shown.digest = stint_document::digest(&shown);
        shown
    }
}

#[cfg(test)]
pub(crate) mod tests;
