//! What becomes of a request: on what terms it stands, or what stands against it. The same rules
//! judge it when it is made, when it is granted, when a scheduled grant starts, and when somebody
//! only wants to know. Pure: `now` and what the daemon knows come in as values.

mod facts;
mod limits;
mod refusal;
mod words;

use stint_proto::{Length, RoleName, Timestamp};

pub use facts::{Facts, OwnedFacts, Spell};
pub use limits::LimitRefusal;
use limits::Limits;
pub use refusal::RequestRefusal;
pub(crate) use refusal::approvals;
pub use words::WordsRefusal;

use crate::order::{find_role, length_within};
use crate::{Policy, Role, Subject};

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Which role.
    pub role: &'a RoleName,
    /// For how long; the role's default if absent.
    pub duration: Option<Length>,
    /// From when; at once if absent.
    pub starts_at: Option<Timestamp>,
    /// What for, as typed.
    pub reason: Option<&'a str>,
    /// The ticket it refers to, as typed.
    pub ticket: Option<&'a str>,
}

/// On what terms a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestTerms<'a> {
    /// The role.
    pub role: &'a Role,
    /// For how long; of an extension, how much longer.
    pub duration: Length,
    /// From when, if not at once.
    pub starts_at: Option<Timestamp>,
    /// What for, without blanks around it; empty where nothing was said and nothing has to be.
    pub reason: String,
    /// The ticket, without blanks around it.
    pub ticket: Option<String>,
    /// How many approvals it needs; with none it is granted at once.
    pub approvals_needed: u32,
    /// When it lapses if it is still pending.
    pub lapses_at: Timestamp,
}

/// Looks at a request that is being made. `clock` shows a time as the person's clock does.
///
/// # Errors
/// What stands against it, the first thing only.
pub fn judge_request<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    ask: &Ask<'_>,
    facts: &Facts<'_>,
    now: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Result<RequestTerms<'a>, RequestRefusal> {
    let role = open_role(policy, host, subject, ask.role)?;
    let reason = words::reason(role, ask.reason)?;
    let ticket = words::ticket(role, ask.ticket)?;
    let duration = length_within(role, ask.duration)?;
    let starts_at = ask.starts_at;
    check_start(role, starts_at, now, clock)?;
    let case = Case { policy, subject, role, facts, clock };
    case.asking(starts_at.unwrap_or(now), duration)?;
    let approvals_needed = role.approvals_needed();
    let lapses_at = starts_at.unwrap_or_else(|| later(now, policy.requests.lapse_after));
    Ok(RequestTerms { role, duration, starts_at, reason, ticket, approvals_needed, lapses_at })
}

/// What a request for the role, at once and for its usual time, would come to if its reason and
/// ticket were in order: for whoever only wants to know, or to offer it.
///
/// # Errors
/// What stands against it, the first thing only.
pub fn outlook<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    role: &RoleName,
    facts: &Facts<'_>,
    now: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Result<&'a Role, RequestRefusal> {
    let role = open_role(policy, host, subject, role)?;
    Case { policy, subject, role, facts, clock }.asking(now, role.default_duration)?;
    Ok(role)
}

/// Looks again at what a grant from `starts_at` for `duration` rests on: when a request is
/// granted, and when a scheduled grant starts. The facts are without that grant itself.
///
/// # Errors
/// What stands against it by now, the first thing only.
#[expect(clippy::too_many_arguments, reason = "each says another thing about one grant")]
pub fn judge_start<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    role: &RoleName,
    starts_at: Timestamp,
    duration: Length,
    facts: &Facts<'_>,
    clock: &dyn Fn(Timestamp) -> String,
) -> Result<&'a Role, RequestRefusal> {
    let role = open_role(policy, host, subject, role)?;
    let duration = length_within(role, Some(duration))?;
    Case { policy, subject, role, facts, clock }.starting(starts_at, duration)?;
    Ok(role)
}

/// Looks at more time for a running grant that began at `starts_at` and ends at `expires_at`. The
/// facts are without that grant itself. An absent reason stays empty: the grant's own holds, and
/// so does its ticket.
///
/// # Errors
/// What stands against it, the first thing only.
#[expect(clippy::too_many_arguments, reason = "each says another thing about one grant")]
pub fn judge_extension<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    role: &RoleName,
    starts_at: Timestamp,
    expires_at: Timestamp,
    by: Length,
    reason: Option<&str>,
    facts: &Facts<'_>,
    now: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Result<RequestTerms<'a>, RequestRefusal> {
    let role = open_role(policy, host, subject, role)?;
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    let reason = reason.map(|reason| words::reason(role, Some(reason))).transpose()?;
    let case = Case { policy, subject, role, facts, clock };
    let limits = case.limits();
    limits.stretch(starts_at, expires_at, by)?;
    case.pending()?;
    case.approvers()?;
    limits.hours(now)?;
    let end = later(expires_at, by);
    limits.budget(starts_at, end.micros_since(starts_at))?;
    limits.room(expires_at, end)?;
    Ok(RequestTerms {
        role,
        duration: by,
        starts_at: None,
        reason: reason.unwrap_or_default(),
        ticket: None,
        approvals_needed: role.approvals_needed(),
        lapses_at: later(now, policy.requests.lapse_after).min(expires_at),
    })
}

/// The role, if it exists here and the subject is eligible for it.
pub(crate) fn open_role<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    role: &RoleName,
) -> Result<&'a Role, RequestRefusal> {
    let role = find_role(policy, host, role)?;
    check_eligible(policy, role, subject)?;
    Ok(role)
}

pub(crate) fn check_eligible(
    policy: &Policy,
    role: &Role,
    subject: Subject<'_>,
) -> Result<(), RequestRefusal> {
    if policy.eligible_by(role, subject).is_some() {
        return Ok(());
    }
    Err(RequestRefusal::NotEligible {
        role: role.name.clone(),
        user: subject.user.clone(),
        only: role.eligible.clone(),
        at: role.place("eligible").clone(),
    })
}

/// Whether a grant of the role may begin then.
fn check_start(
    role: &Role,
    starts_at: Option<Timestamp>,
    now: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Result<(), RequestRefusal> {
    let Some(start) = starts_at else { return Ok(()) };
    if start < now {
        return Err(RequestRefusal::Past { asked: clock(start), now: clock(now) });
    }
    let latest = later(now, Length::MAX);
    if start > latest {
        return Err(RequestRefusal::TooFarAhead { asked: clock(start), latest: clock(latest) });
    }
    if role.break_glass {
        let (role_name, at) = (role.name.clone(), role.place("break_glass").clone());
        return Err(RequestRefusal::BreakGlassLater { role: role_name, at });
    }
    Ok(())
}

/// The point that much later, beyond the calendar too: it is compared, not shown.
fn later(at: Timestamp, length: Length) -> Timestamp {
    Timestamp(at.micros().saturating_add(length.micros()))
}

/// A role that somebody is eligible for, and what is known of them.
pub(crate) struct Case<'a, 'p> {
    pub(crate) policy: &'p Policy,
    pub(crate) subject: Subject<'a>,
    pub(crate) role: &'p Role,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) clock: &'a dyn Fn(Timestamp) -> String,
}

impl Case<'_, '_> {
    fn limits(&self) -> Limits<'_> {
        Limits {
            role: self.role,
            user: self.subject.user,
            uid: self.subject.uid,
            spells: self.facts.spells,
            others: self.facts.others,
            clock: self.clock,
        }
    }

    /// Everything that a request rests on but its own words.
    fn asking(&self, start: Timestamp, duration: Length) -> Result<(), RequestRefusal> {
        self.objections(start, duration).into_iter().next().map_or(Ok(()), Err)
    }

    /// All that stands against a request but its own words.
    pub(crate) fn objections(&self, start: Timestamp, duration: Length) -> Vec<RequestRefusal> {
        let mut checks =
            vec![self.not_held(start, duration), self.reviewed(), self.pending(), self.approvers()];
        checks.extend(self.limits_at(start, duration));
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// What a grant rests on when it begins.
    fn starting(&self, start: Timestamp, duration: Length) -> Result<(), RequestRefusal> {
        self.not_held(start, duration)?;
        self.limits_at(start, duration).into_iter().collect()
    }

    fn limits_at(&self, start: Timestamp, duration: Length) -> [Result<(), RequestRefusal>; 4] {
        let limits = self.limits();
        [
            limits.hours(start),
            limits.cooldown(start),
            limits.budget(start, duration.micros()),
            limits.room(start, later(start, duration)),
        ]
    }

    fn reviewed(&self) -> Result<(), RequestRefusal> {
        match self.facts.unreviewed.filter(|_| self.role.break_glass) {
            None => Ok(()),
            Some(grant) => Err(RequestRefusal::Unreviewed {
                role: self.role.name.clone(),
                user: self.subject.user.clone(),
                grant: grant.clone(),
                at: self.role.place("break_glass").clone(),
            }),
        }
    }

    /// Whether no grant that the requester has already reaches into this one.
    fn not_held(&self, start: Timestamp, duration: Length) -> Result<(), RequestRefusal> {
        let end = later(start, duration);
        let reaches = |spell: &&Spell| {
            spell.starts_at < spell.ends_at && start < spell.ends_at && spell.starts_at < end
        };
        let mut reaching = self.facts.spells.iter().filter(reaches).peekable();
        let Some(grant) = self.facts.held.filter(|_| reaching.peek().is_some()) else {
            return Ok(());
        };
        Err(RequestRefusal::Held {
            role: self.role.name.clone(),
            user: self.subject.user.clone(),
            grant: grant.clone(),
            running: reaching.any(|spell| spell.starts_at <= start),
        })
    }

    /// Whether one more request may be pending. What needs no approval never is, so that nobody
    /// can keep others from it by asking for much.
    fn pending(&self) -> Result<(), RequestRefusal> {
        if self.role.approvals_needed() == 0 {
            return Ok(());
        }
        let (facts, limits, user) = (self.facts, &self.policy.requests, self.subject.user);
        if let Some(request) = facts.pending {
            return Err(RequestRefusal::Pending {
                role: self.role.name.clone(),
                user: user.clone(),
                request: request.clone(),
            });
        }
        if facts.pending_of_user >= limits.max_pending_per_user {
            return Err(RequestRefusal::PendingOfUser {
                user: user.clone(),
                most: limits.max_pending_per_user,
                at: limits.max_pending_per_user_at.clone(),
            });
        }
        if facts.pending_of_all >= limits.max_pending {
            let (most, at) = (limits.max_pending, limits.max_pending_at.clone());
            return Err(RequestRefusal::PendingOfAll { most, at });
        }
        Ok(())
    }

    /// Whether somebody may give the approval that it needs.
    fn approvers(&self) -> Result<(), RequestRefusal> {
        let needed = self.role.approvals_needed();
        if needed == 0 || !self.role.approvers.is_empty() {
            return Ok(());
        }
        let key = if self.role.is_written("approvers") { "approvers" } else { "approvals" };
        let (role, at) = (self.role.name.clone(), self.role.place(key).clone());
        Err(RequestRefusal::NoApprovers { role, needed, at })
    }
}
