//! What the sections of a policy say that are about the host and not about a role, and the words
//! that the policy has for them.

use stint_proto::{Length, words};

use crate::{Position, Principal};

words! {
    /// What the gate does with somebody who holds no grant.
    #[derive(Default)]
    GateMode {
        /// Deny.
        #[default]
        Enforce = "enforce",
        /// Let in, and log what would have been denied.
        Observe = "observe",
    }
}

words! {
    /// How group memberships are given.
    #[derive(Default)]
    Backend {
        /// By whichever of the two the host can do.
        #[default]
        Auto = "auto",
        /// In /etc/group and /etc/gshadow.
        Files = "files",
        /// By drop-ins in /run/userdb.
        Userdb = "userdb",
    }
}

words! {
    /// What becomes of the sessions of a grant that ends.
    #[derive(Default)]
    OnExpiry {
        /// They are ended.
        #[default]
        Terminate = "terminate",
        /// They are left.
        Leave = "leave",
    }
}

/// `[gate]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    /// Whether it denies.
    pub mode: GateMode,
    /// Where the files say so; `None` if they do not.
    pub mode_at: Option<Position>,
    /// Whether somebody who is denied at a terminal is asked there what for.
    pub prompt: bool,
    /// Who passes without a grant, besides root.
    pub exempt: Vec<Principal>,
    /// Where the files say so; `None` if they do not.
    pub exempt_at: Option<Position>,
}

/// `[requests]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// How long a request for no particular time may be pending.
    pub lapse_after: Length,
    /// How many pending requests one user may have.
    pub max_pending_per_user: u32,
    /// Where the files say so; `None` if they do not.
    pub max_pending_per_user_at: Option<Position>,
    /// How many pending requests there may be.
    pub max_pending: u32,
    /// Where the files say so; `None` if they do not.
    pub max_pending_at: Option<Position>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            lapse_after: Length::from_seconds(86_400).unwrap_or(Length::MAX),
            max_pending_per_user: 5,
            max_pending_per_user_at: None,
            max_pending: 1000,
            max_pending_at: None,
        }
    }
}

/// `[approvals]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approvals {
    /// Whether approvers authenticate for each decision.
    pub authenticate: bool,
}

impl Default for Approvals {
    fn default() -> Self {
        Self { authenticate: true }
    }
}

/// `[notify]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Whether people are told on the terminals where they are logged in.
    pub terminals: bool,
}

impl Default for Notify {
    fn default() -> Self {
        Self { terminals: true }
    }
}
