//! What the daemon knows beside the policy when it judges a request. Values only.

use stint_proto::{GrantId, RequestId, Timestamp, Uid};

/// A stretch of time in which somebody held a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// From when.
    pub starts_at: Timestamp,
    /// Until when; the planned end where it still runs.
    pub ends_at: Timestamp,
}

/// What is known of the requester and of the others, for one role. The grant that is itself being
/// judged, at its start or for an extension, is no part of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// When the requester held or will hold the role. Nothing that ended longer ago than two days
    /// and the role's cooldown matters.
    pub spells: &'a [Spell],
    /// A grant of this role that the requester holds or, if none, will hold. It stands against
    /// whatever one of `spells` reaches into.
    pub held: Option<&'a GrantId>,
    /// The request for this role that the requester has pending.
    pub pending: Option<&'a RequestId>,
    /// When others held or will hold the role: an entry a grant.
    pub others: &'a [(Uid, Spell)],
    /// How many requests the requester has pending, for any role.
    pub pending_of_user: u32,
    /// How many requests are pending on this host.
    pub pending_of_all: u32,
    /// A use of this role by the requester for an emergency, which nobody has reviewed.
    pub unreviewed: Option<&'a GrantId>,
}

/// The same, owned, for whoever gathers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedFacts {
    /// See [`Facts::spells`].
    pub spells: Vec<Spell>,
    /// See [`Facts::held`].
    pub held: Option<GrantId>,
    /// See [`Facts::pending`].
    pub pending: Option<RequestId>,
    /// See [`Facts::others`].
    pub others: Vec<(Uid, Spell)>,
    /// See [`Facts::pending_of_user`].
    pub pending_of_user: u32,
    /// See [`Facts::pending_of_all`].
    pub pending_of_all: u32,
    /// See [`Facts::unreviewed`].
    pub unreviewed: Option<GrantId>,
}

impl OwnedFacts {
    /// As they are judged by.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            spells: &self.spells,
            held: self.held.as_ref(),
            pending: self.pending.as_ref(),
            others: &self.others,
            pending_of_user: self.pending_of_user,
            pending_of_all: self.pending_of_all,
            unreviewed: self.unreviewed.as_ref(),
        }
    }
}
