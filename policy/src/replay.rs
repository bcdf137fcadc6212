//! What requests of the past would have come to under another policy. Judged by the same rules as
//! requests that are made now.
//!
//! Only what the policy says of each request by itself is replayed: role, host, eligibility, words,
//! durations, hours, approvals. What depends on who held what when is not, as the past that is
//! handed in holds neither grants without a request nor how early a grant ended: cooldown, holders
//! at once, pending limits, reviews, and of the daily budget what was held before. Nor is who may
//! approve: what groups an approver stood in is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use stint_proto::{GrantId, GroupName, PastRequest, Request, RequestState, Timestamp};

use crate::request::{
    Ask, Facts, RequestRefusal, approvals, judge_extension, judge_request, judge_start,
};
use crate::{Policy, Subject};

/// What a request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is refused.
    Refused {
        /// Why.
        refusal: RequestRefusal,
    },
    /// It is granted at once.
    AtOnce,
    /// It awaits approvals.
    Approvals {
        /// How many.
        needed: u32,
    },
    /// It was for more time with a grant that is not in the past that was handed in.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { refusal } => write!(f, "refused: {refusal}"),
            Self::AtOnce => write!(f, "granted at once"),
            Self::Approvals { needed } => write!(f, "needs {}", approvals(*needed)),
            Self::Unknown => write!(f, "not known: the grant it would extend is older"),
        }
    }
}

/// A request of the past, and what it comes to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed<'a> {
    /// The request as it was.
    pub request: &'a Request,
    /// What it came to when it was made; a request that was refused by the policy is none.
    pub then: Outcome,
    /// What it would have come to under this policy.
    pub now: Outcome,
}

impl Replayed<'_> {
    /// Whether this policy would have decided otherwise, as far as that can be told.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.now != Outcome::Unknown && self.now != self.then
    }
}

/// From when until when a grant was to be held.
type Terms = (Timestamp, Timestamp);

/// What each of the requests would have come to under this policy, on that host, in the order in
/// which they were made. `clock` shows a time as the person's clock does.
#[must_use]
pub fn replay<'a>(
    policy: &Policy,
    host: &str,
    past: &'a [PastRequest],
    clock: &dyn Fn(Timestamp) -> String,
) -> Vec<Replayed<'a>> {
    let mut in_order: Vec<&PastRequest> = past.iter().collect();
    in_order.sort_by_key(|past| past.request.created_at);
    let mut grants: BTreeMap<GrantId, Terms> = BTreeMap::new();
    let mut replayed = Vec::new();
    for PastRequest { request, groups } in in_order {
        let groups = groups.iter().cloned().collect();
        let now = outcome(policy, host, request, &groups, &grants, clock);
        let then = match request.approvals_needed {
            0 => Outcome::AtOnce,
            needed => Outcome::Approvals { needed },
        };
        replayed.push(Replayed { request, then, now });
        note_grant(&mut grants, request);
    }
    replayed
}

fn outcome(
    policy: &Policy,
    host: &str,
    request: &Request,
    groups: &BTreeSet<GroupName>,
    grants: &BTreeMap<GrantId, Terms>,
    clock: &dyn Fn(Timestamp) -> String,
) -> Outcome {
    let subject = Subject { user: &request.user, uid: request.uid, groups };
    let (role, created_at, facts) = (&request.role, request.created_at, Facts::default());
    let judged = match &request.extends {
        None => {
            let ask = Ask {
                role,
                duration: Some(request.duration),
                starts_at: request.starts_at,
                reason: Some(&request.reason),
                ticket: request.ticket.as_deref(),
            };
            judge_request(policy, host, subject, &ask, &facts, created_at, clock)
        }
        Some(grant) => {
            let Some((starts_at, expires_at)) = grants.get(grant).copied() else {
                return Outcome::Unknown;
            };
            let (by, reason) = (request.duration, Some(request.reason.as_str()));
            judge_extension(
                policy, host, subject, role, starts_at, expires_at, by, reason, &facts, created_at,
                clock,
            )
        }
    };
    let needed = match judged {
        Ok(terms) => terms.approvals_needed,
        Err(refusal) => return Outcome::Refused { refusal },
    };
    if needed == 0 {
        return Outcome::AtOnce;
    }
    // What was approved was granted then, and looked at again.
    let granted_at = request.ended_at.filter(|_| request.state == RequestState::Approved);
    if let Some(at) =
        granted_at.filter(|_| request.starts_at.is_none() && request.extends.is_none())
        && let Err(refusal) =
            judge_start(policy, host, subject, role, at, request.duration, &facts, clock)
    {
        return Outcome::Refused { refusal };
    }
    Outcome::Approvals { needed }
}

/// Remembers the grant that came of the request, or how much longer one became.
fn note_grant(grants: &mut BTreeMap<GrantId, Terms>, request: &Request) {
    if request.state != RequestState::Approved {
        return;
    }
    if let Some((_, expires_at)) = request.extends.as_ref().and_then(|id| grants.get_mut(id)) {
        *expires_at = expires_at.checked_add(request.duration).unwrap_or(*expires_at);
        return;
    }
    let start = request.starts_at.or(request.ended_at).unwrap_or(request.created_at);
    if let (Some(id), None) = (&request.grant, &request.extends)
        && let Some(end) = start.checked_add(request.duration)
    {
        grants.insert(id.clone(), (start, end));
    }
}
