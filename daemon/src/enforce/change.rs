//! The words of membership changes, shared by both backends. Values only.

use std::fmt;

use stint_proto::{GroupName, UserName};

/// Who is, or shall be, in which group.
pub type Membership = (UserName, GroupName);

/// What is done to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is given.
    Add,
    /// It is taken back.
    Remove,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Add => "add",
            Self::Remove => "remove",
        })
    }
}

/// One change of one membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which membership.
    pub membership: Membership,
    /// What is done to it.
    pub action: Action,
}

/// What came of a [`Change`].
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// stint gave it, and owns it from now on.
    Added,
    /// It was there already. Unless stint owns it from before, it is standing and not stint's.
    AlreadyMember,
    /// stint took it back.
    Removed,
    /// There was nothing to take back.
    WasNotMember,
    /// It could not be done; the others of the batch were.
    Failed(String),
}

/// Called with the changes that will really be made, while the locks are held and before anything
/// is seen of them, so that the caller makes its ownership durable first. An error stops the batch
/// before it has changed anything.
pub type Intend<'a> = dyn FnMut(&[Change]) -> Result<(), String> + 'a;
