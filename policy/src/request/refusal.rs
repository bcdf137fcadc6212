//! Why a request is refused, in words for whoever asked, for an approver and for the record: what
//! was wrong, what would be right, and the line of the policy that says so.

use std::fmt;

use stint_proto::{ErrorCode, GrantId, RequestId, RoleName, UserName};

use super::{LimitRefusal, WordsRefusal};
use crate::order::{OrderRefusal, list, with_place};
use crate::{Position, Principal};

/// Why a request cannot be, or is refused. Times are kept as the person's clock shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// The role does not exist here, or is not given for so long.
    Order {
        /// Which of it.
        refusal: OrderRefusal,
    },
    /// The reason or the ticket will not do.
    Words {
        /// Why.
        refusal: WordsRefusal,
    },
    /// Hours, cooldown, budget, holders at once or the longest grant stand against it.
    Limit {
        /// Which of them.
        refusal: Box<LimitRefusal>,
    },
    /// The requester may not ask for the role.
    NotEligible {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// Who may.
        only: Vec<Principal>,
        /// Where the policy says so.
        at: Position,
    },
    /// It would begin in the past.
    Past {
        /// When it would begin.
        asked: String,
        /// What time it is.
        now: String,
    },
    /// It would begin too far ahead.
    TooFarAhead {
        /// When it would begin.
        asked: String,
        /// The latest.
        latest: String,
    },
    /// A role for emergencies is never for later.
    BreakGlassLater {
        /// The role.
        role: RoleName,
        /// Where the policy says so.
        at: Position,
    },
    /// The last use of a role for emergencies has not been reviewed.
    Unreviewed {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// The grant.
        grant: GrantId,
        /// Where the policy says so.
        at: Position,
    },
    /// The requester has the role already at that time.
    Held {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// A grant that they have.
        grant: GrantId,
        /// Whether one runs when the new one would begin; otherwise one begins before its end.
        running: bool,
    },
    /// The requester has asked for the role already.
    Pending {
        /// The role.
        role: RoleName,
        /// The requester.
        user: UserName,
        /// The request.
        request: RequestId,
    },
    /// The requester has too many pending requests.
    PendingOfUser {
        /// The requester.
        user: UserName,
        /// The most.
        most: u32,
        /// Where the policy says so, if it does.
        at: Option<Position>,
    },
    /// Too many requests are pending on this host.
    PendingOfAll {
        /// The most.
        most: u32,
        /// Where the policy says so, if it does.
        at: Option<Position>,
    },
    /// It needs approval, and nobody may give it.
    NoApprovers {
        /// The role.
        role: RoleName,
        /// How many approvals it needs.
        needed: u32,
        /// Where the policy says so.
        at: Position,
    },
}

impl From<OrderRefusal> for RequestRefusal {
    fn from(refusal: OrderRefusal) -> Self {
        Self::Order { refusal }
    }
}

impl From<WordsRefusal> for RequestRefusal {
    fn from(refusal: WordsRefusal) -> Self {
        Self::Words { refusal }
    }
}

impl From<LimitRefusal> for RequestRefusal {
    fn from(refusal: LimitRefusal) -> Self {
        Self::Limit { refusal: Box::new(refusal) }
    }
}

impl RequestRefusal {
    /// The error that it is on the bus and at the command line.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Order { refusal } => refusal.code(),
            Self::Words { refusal } => refusal.code(),
            Self::Past { .. } | Self::TooFarAhead { .. } => ErrorCode::Invalid,
            Self::Limit { .. }
            | Self::NotEligible { .. }
            | Self::BreakGlassLater { .. }
            | Self::Unreviewed { .. }
            | Self::Held { .. }
            | Self::Pending { .. }
            | Self::PendingOfUser { .. }
            | Self::PendingOfAll { .. }
            | Self::NoApprovers { .. } => ErrorCode::Refused,
        }
    }

    /// Where the policy says so, if a line of it does.
    #[must_use]
    pub const fn at(&self) -> Option<&Position> {
        match self {
            Self::Order { refusal } => refusal.at(),
            Self::Words { refusal } => refusal.at(),
            Self::Limit { refusal } => Some(refusal.at()),
            Self::Past { .. }
            | Self::TooFarAhead { .. }
            | Self::Held { .. }
            | Self::Pending { .. } => None,
            Self::PendingOfUser { at, .. } | Self::PendingOfAll { at, .. } => at.as_ref(),
            Self::NotEligible { at, .. }
            | Self::BreakGlassLater { at, .. }
            | Self::Unreviewed { at, .. }
            | Self::NoApprovers { at, .. } => Some(at),
        }
    }

    /// What it says, without the place.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Order { refusal } => refusal.what(),
            Self::Words { refusal } => refusal.what(),
            Self::Limit { refusal } => refusal.what(),
            Self::NotEligible { role, only, .. } if only.is_empty() => {
                format!("nobody is eligible for {role}")
            }
            Self::NotEligible { role, user, only, .. } => {
                format!("{user} is not eligible for {role}, only {}", list(only))
            }
            Self::Past { asked, now } => {
                format!("{asked} is past, it is {now}; without --at it begins at once")
            }
            Self::TooFarAhead { asked, latest } => {
                format!("{asked} is too far ahead; {latest} is the latest")
            }
            Self::BreakGlassLater { role, .. } => {
                format!("{role} is for emergencies and begins at once: leave --at out")
            }
            Self::Unreviewed { role, user, grant, .. } => format!(
                "{user} has used {role} ({grant}), and nobody has reviewed that; somebody else has \
                 to first: stint review {grant} --note \"what was found\""
            ),
            Self::Held { role, user, grant, running: true } => format!(
                "{user} holds {role} already ({grant}); for more time: stint extend {grant} --for 30m"
            ),
            Self::Held { role, user, running: false, .. } => format!(
                "{user} has {role} for a part of that time already; ask for less or for another \
                 time, or give that grant back with stint drop"
            ),
            Self::Pending { role, user, request } => format!(
                "{user} has asked for {role} already: stint wait {request}, or stint cancel {request}"
            ),
            Self::PendingOfUser { user, most, .. } => format!(
                "{user} has {most} requests pending, and that is the most: wait, or take one back \
                 with stint cancel"
            ),
            Self::PendingOfAll { most, .. } => format!(
                "{most} requests are pending on this host, and that is the most: ask again when \
                 some are decided"
            ),
            Self::NoApprovers { role, needed, .. } => {
                let approvals = approvals(*needed);
                format!("{role} needs {approvals}, and the policy names nobody who may give it")
            }
        }
    }
}

/// `one approval`, `2 approvals`.
pub(crate) fn approvals(count: u32) -> String {
    if count == 1 { "one approval".to_owned() } else { format!("{count} approvals") }
}

impl fmt::Display for RequestRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_place(f, &self.what(), self.at())
    }
}

impl std::error::Error for RequestRefusal {}
