//! A grant and its life: scheduled, active, ended. Every transition is a method that says whether
//! it took place; none of them can be taken twice.

use stint_policy::{HeldGrant, Role};
use stint_proto::{
    EndReason, Grant as Shown, GrantId, GrantState, GroupName, Length, Origin, RequestId, RoleName,
    ServiceName, Timestamp, Uid, UserName,
};

use super::deadline::Deadline;
use crate::clock::Moment;

/// A role held by a user for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who holds it, by name.
    pub user: UserName,
    /// Who holds it, by number.
    pub uid: Uid,
    /// What is held.
    pub role: RoleName,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when at the latest.
    pub deadline: Deadline,
    /// Where it is in its life.
    pub stage: Stage,
    /// Where it comes from.
    pub origin: Origin,
    /// What it is for, as typed.
    pub reason: String,
    /// The ticket it refers to.
    pub ticket: Option<String>,
    /// Who gave it.
    pub granted_by: String,
    /// For a grant of the policy: which entry ([`HeldGrant::key`]).
    pub policy_key: Option<String>,
    /// The request that it came of.
    pub request: Option<RequestId>,
    /// Who approved that request.
    pub approvals: Vec<UserName>,
    /// For the use of a break-glass role: who has reviewed it, and what they found.
    pub review: Option<Review>,
}

/// Somebody's word that the use of a break-glass role was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Whose.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What was found.
    pub note: String,
}

/// Where a grant is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It starts later.
    Scheduled,
    /// It is held, until its deadline.
    Active,
    /// It is over; nothing leads back.
    Ended {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: EndReason,
    },
}

impl Stage {
    /// The word for it.
    #[must_use]
    pub const fn state(&self) -> GrantState {
        match self {
            Self::Scheduled => GrantState::Scheduled,
            Self::Active => GrantState::Active,
            Self::Ended { .. } => GrantState::Ended,
        }
    }
}

impl Grant {
    /// The grant that a `[[grants]]` entry of the policy gives.
    #[must_use]
    pub fn from_policy(id: GrantId, uid: Uid, entry: &HeldGrant, deadline: Deadline) -> Self {
        Self {
            id,
            user: entry.user.clone(),
            uid,
            role: entry.role.clone(),
            starts_at: entry.from,
            deadline,
            stage: Stage::Scheduled,
            origin: if entry.signed { Origin::Remote } else { Origin::Policy },
            reason: entry.reason.clone(),
            ticket: None,
            granted_by: "policy".to_owned(),
            policy_key: Some(entry.key()),
            request: None,
            approvals: Vec::new(),
            review: None,
        }
    }

    /// Whether it is over by either clock, whatever its stage says: every reader asks this, so
    /// that none trusts the timer to have been in time.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        self.deadline.is_due(now)
    }

    /// Whether it is held at this moment.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        self.stage == Stage::Active && !self.is_due(now)
    }

    /// Whether its time has come to begin.
    #[must_use]
    pub fn should_start(&self, now: Moment) -> bool {
        self.stage == Stage::Scheduled && now.wall >= self.starts_at && !self.is_due(now)
    }

    /// Scheduled → active. `false` if it was not scheduled.
    pub fn activate(&mut self, now: Moment) -> bool {
        if self.stage != Stage::Scheduled {
            return false;
        }
        self.stage = Stage::Active;
        // Counted again from here, so that the boot clock measures the grant and not the wait.
        self.deadline = Deadline::from_wall(self.deadline.wall, now);
        true
    }

    /// The same grant, active already if its time has come.
    #[must_use]
    pub fn begun_if_due(mut self, now: Moment) -> Self {
        if self.should_start(now) {
            self.activate(now);
        }
        self
    }

    /// Scheduled or active → ended. `false` if it was over already.
    pub fn end(&mut self, at: Timestamp, reason: EndReason) -> bool {
        if matches!(self.stage, Stage::Ended { .. }) {
            return false;
        }
        self.stage = Stage::Ended { at, reason };
        true
    }

    /// Moves the end of an active grant by this much, on both clocks. `false` if it is not held
    /// any more, or if it would reach past the end of the calendar.
    pub fn extend(&mut self, by: Length, now: Moment) -> bool {
        let Some(wall) = self.deadline.wall.checked_add(by) else { return false };
        if !self.holds(now) {
            return false;
        }
        self.deadline = Deadline { wall, boot: self.deadline.boot.saturating_add(by.micros()) };
        true
    }

    /// Whether it is the use of a break-glass role that nobody has reviewed.
    #[must_use]
    pub fn awaits_review(&self) -> bool {
        self.origin == Origin::BreakGlass && self.review.is_none()
    }

    /// Marks the use of a break-glass role as reviewed. `false` if it is none, or was already.
    pub fn mark_reviewed(&mut self, review: Review) -> bool {
        if !self.awaits_review() {
            return false;
        }
        self.review = Some(review);
        true
    }

    /// As it is shown, with what its role opens and gives (nothing once the role is gone).
    #[must_use]
    pub fn shown(&self, role: Option<&Role>) -> Shown {
        let (ended_at, end_reason) = match self.stage {
            Stage::Ended { at, reason } => (Some(at), Some(reason)),
            Stage::Scheduled | Stage::Active => (None, None),
        };
        let services: Vec<ServiceName> =
            role.map(|role| role.services.iter().cloned().collect()).unwrap_or_default();
        let groups: Vec<GroupName> = role.map(|role| role.groups.clone()).unwrap_or_default();
        let actions = role.into_iter().flat_map(|role| &role.polkit);
        Shown {
            id: self.id.clone(),
            user: self.user.clone(),
            uid: self.uid,
            role: self.role.clone(),
            state: self.stage.state(),
            starts_at: self.starts_at,
            expires_at: self.deadline.wall,
            ended_at,
            end_reason,
            origin: self.origin,
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            granted_by: self.granted_by.clone(),
            approvals: self.approvals.clone(),
            request: self.request.clone(),
            reviewed_by: self.review.as_ref().map(|review| review.by.clone()),
            services,
            groups,
            polkit: actions.map(ToString::to_string).collect(),
            residue: None,
            without: Vec::new(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A grant of `role` for `user` from 100 to 200 µs on both clocks.
    pub(crate) fn sample(id: &str, user: &str, uid: u32, role: &str) -> Grant {
        Grant {
            id: id.parse().unwrap(),
            user: user.parse().unwrap(),
            uid: Uid(uid),
            role: role.parse().unwrap(),
            starts_at: Timestamp::from_micros(100),
            deadline: Deadline { wall: Timestamp::from_micros(200), boot: 200 },
            stage: Stage::Scheduled,
            origin: Origin::Admin,
            reason: "for a test".to_owned(),
            ticket: None,
            granted_by: "root".to_owned(),
            policy_key: None,
            request: None,
            approvals: Vec::new(),
            review: None,
        }
    }

    pub(crate) fn at(micros: i64) -> Moment {
        Moment { wall: Timestamp::from_micros(micros), boot: micros }
    }

    #[test]
    fn nothing_leads_back_from_the_end() {
        let mut grant = sample("g4t9", "alice", 1000, "admin");
        assert!(grant.activate(at(100)));
        assert!(!grant.activate(at(100)), "not twice");
        assert!(grant.end(Timestamp::from_micros(150), EndReason::Revoked));
        assert!(!grant.end(Timestamp::from_micros(160), EndReason::Expired));
        assert!(!grant.activate(at(160)));
        assert!(!grant.holds(at(160)));
    }

    #[test]
    fn it_holds_only_between_its_times() {
        let mut grant = sample("g4t9", "alice", 1000, "admin");
        assert!(!grant.should_start(at(99)) && !grant.holds(at(99)));
        assert!(grant.should_start(at(100)));
        grant.activate(at(100));
        assert!(grant.holds(at(199)));
        assert!(!grant.holds(at(200)), "although nobody has ended it yet");
    }
}
