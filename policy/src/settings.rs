//! What the sections of a policy say that are about the host and not about a role, and the words
//! that the policy has for them.

use std::fmt;
use std::str::FromStr;

use stint_proto::{Length, words};

use crate::text::quoted;
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

/// How long the record is kept: whole days, from [`Retention::LEAST`] to [`Retention::MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(u32);

/// A text is no such number of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRetention(String);

impl Retention {
    /// In days. What is gone sooner nobody could have reviewed: reviews are made by the month.
    pub const LEAST: u32 = 30;
    /// In days: a hundred years, and more than that is for ever.
    pub const MOST: u32 = 36_500;

    /// In microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        i64::from(self.0) * 86_400_000_000
    }
}

impl FromStr for Retention {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let days = text.strip_suffix('d').filter(|days| days.bytes().all(|b| b.is_ascii_digit()));
        let days = days.and_then(|days| days.parse().ok());
        let days = days.filter(|days| (Self::LEAST..=Self::MOST).contains(days));
        days.map(Self).ok_or_else(|| BadRetention(text.chars().take(40).collect()))
    }
}

/// As it is read: `400d`.
impl fmt::Display for Retention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}d", self.0)
    }
}

impl fmt::Display for BadRetention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no number of days to keep the record", quoted(&self.0))
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
