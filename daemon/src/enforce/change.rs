//! The words of membership changes, and the order of a batch, shared by both backends. Touches
//! nothing itself.

use std::fmt;

use stint_proto::{GroupName, UserName};

/// Who is, or shall be, in which group.
pub type Membership = (UserName, GroupName);

/// What is done to a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is given.
    Add,
    /// It was given before and seen in its place; somebody may have taken it away by hand since, and
    /// then it is not given again.
    Keep,
    /// It is taken back.
    Remove,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Add => "add",
            Self::Keep => "keep",
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
    /// Somebody took it away by hand. That stands, and it is not stint's any more.
    Missing,
    /// stint took it back.
    Removed,
    /// There was nothing to take back.
    WasNotMember,
    /// It could not be done; the others of the batch were.
    Failed(String),
}

impl Outcome {
    /// Whether something on the host is made other than it was.
    #[must_use]
    pub const fn is_change(&self) -> bool {
        matches!(self, Self::Added | Self::Removed)
    }
}

/// Called with the changes that will really be made, while the locks are held and before anything
/// is seen of them, so that the caller makes its ownership durable first. An error stops the batch
/// before it has changed anything.
pub type Intend<'a> = dyn FnMut(&[Change]) -> Result<(), String> + 'a;

/// The first two steps of a batch: foresees what will come of each change, and has those that will
/// really be made told to `intend`. The third, to make them, is the caller's.
///
/// # Errors
/// What `intend` fails with: nothing may be made.
pub fn foresee_all(
    changes: &[Change],
    foresee: impl FnMut(&Change) -> Outcome,
    intend: &mut Intend<'_>,
) -> Result<Vec<Outcome>, String> {
    let outcomes: Vec<Outcome> = changes.iter().map(foresee).collect();
    let foreseen = changes.iter().zip(&outcomes);
    let real: Vec<Change> = foreseen
        .filter(|(_, outcome)| outcome.is_change())
        .map(|(change, _)| change.clone())
        .collect();
    if !real.is_empty() {
        intend(&real)?;
    }
    Ok(outcomes)
}
