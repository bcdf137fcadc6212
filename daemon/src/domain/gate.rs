//! The gate's decision: who stands at which door, what they hold, and so whether they are let in.
//!
//! Pure. What a person is told is put together here too, so that it always says what was decided.

use std::collections::BTreeSet;

use stint_policy::explain::{Ground, Held, ground};
use stint_policy::{Policy, Role, Subject as PolicySubject, WaysIn};
use stint_proto::{
    GrantId, GroupName, Length, Offer, RequestId, RoleName, ServiceName, Timestamp, Uid, UserName,
};

use super::index::Index;
use super::request::Request;
use crate::clock::Moment;

/// Who stands at the door: the uid as the kernel says, the name as PAM says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// By number.
    pub uid: Uid,
    /// By name.
    pub user: UserName,
}

/// What the gate decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ruling {
    /// A grant opens the door.
    Allowed {
        /// Which.
        grant: GrantId,
        /// Of which role.
        role: RoleName,
    },
    /// They need none: root, or named by `gate.exempt` (which entry).
    Exempt(String),
    /// None does; the gate is in `observe` mode, so they are let in all the same.
    Observed(Denial),
    /// None does.
    Denied(Denial),
}

/// Why nobody is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No grant of theirs opens this door now.
    NothingHeld,
    /// One would, later.
    NotYet {
        /// Which.
        grant: GrantId,
        /// Of which role.
        role: RoleName,
        /// From when.
        starts_at: Timestamp,
    },
    /// A grant of this uid is held under another name: two accounts share the number, or it was
    /// given anew.
    OtherName {
        /// The name that holds it.
        holder: UserName,
    },
}

/// Decides, on the same ground as `stint explain`. Every grant is looked at with its own deadline:
/// the timer is not trusted.
pub fn decide(
    policy: &Policy,
    host: &str,
    index: &Index,
    subject: &Subject,
    groups: &BTreeSet<GroupName>,
    service: &ServiceName,
    now: Moment,
) -> Ruling {
    let held: Vec<Held> = index
        .of_uid(subject.uid)
        .filter(|grant| grant.user == subject.user && grant.holds(now))
        .map(|grant| Held {
            id: grant.id.clone(),
            role: grant.role.clone(),
            starts_at: grant.starts_at.min(now.wall),
            expires_at: grant.deadline.wall,
        })
        .collect();
    let asked = PolicySubject { user: &subject.user, uid: subject.uid, groups };
    match ground(policy, host, asked, service, &held, now.wall) {
        Ground::Root => Ruling::Exempt("root".to_owned()),
        Ground::Exempt(entry) => Ruling::Exempt(entry.to_string()),
        Ground::Grant(grant, role) => {
            Ruling::Allowed { grant: grant.id.clone(), role: role.name.clone() }
        }
        Ground::Observed => Ruling::Observed(denial(policy, host, index, subject, service, now)),
        Ground::Nothing => Ruling::Denied(denial(policy, host, index, subject, service, now)),
    }
}

/// Why nothing opens the door: a grant that starts later, or is another's, is worth a word.
fn denial(
    policy: &Policy,
    host: &str,
    index: &Index,
    subject: &Subject,
    service: &ServiceName,
    now: Moment,
) -> Denial {
    let opens =
        |role: &RoleName| policy.role_here(role, host).is_some_and(|role| role.opens(service));
    let mut opening =
        index.of_uid(subject.uid).filter(|grant| opens(&grant.role) && !grant.is_due(now));
    match opening.next() {
        None => Denial::NothingHeld,
        Some(grant) if grant.user != subject.user => {
            Denial::OtherName { holder: grant.user.clone() }
        }
        Some(grant) => Denial::NotYet {
            grant: grant.id.clone(),
            role: grant.role.clone(),
            starts_at: grant.starts_at,
        },
    }
}

/// What would open a door, as far as that could be found out in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// The roles for which the person is eligible; those for emergencies last.
    eligible: Vec<Way>,
    /// Who approves of the roles that would open it.
    approvers: Vec<String>,
    /// A request of theirs that is pending already.
    pending: Option<Asked>,
}

/// A role that would open the door.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    role: RoleName,
    usual: Length,
    reason: bool,
    ticket: bool,
    emergency: bool,
}

/// A request that is pending, as far as a person at a door needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    id: RequestId,
    role: RoleName,
    missing: u32,
    approvers: Vec<String>,
}

/// The most roles that are offered at a door: nobody reads more, and their names fit into an answer.
const MOST_OFFERS: usize = 50;

impl Ways {
    /// The ways that the policy knows, and the person's own pending request for one of them.
    #[must_use]
    pub fn new(ways: &WaysIn<'_>, pending: Option<&Request>) -> Self {
        let mut eligible: Vec<Way> = ways.eligible.iter().map(|role| Way::new(role)).collect();
        eligible.sort_by_key(|way| way.emergency);
        let mut approvers: Vec<String> = Vec::new();
        for entry in ways.others.iter().flat_map(|role| &role.approvers) {
            let entry = entry.to_string();
            if !approvers.contains(&entry) {
                approvers.push(entry);
            }
        }
        let pending = pending.map(|request| Asked {
            id: request.id.clone(),
            role: request.role.clone(),
            missing: request.missing(),
            approvers: request.terms.approvers.clone(),
        });
        Self { eligible, approvers, pending }
    }

    /// What may be asked for at the door itself, as much as an answer has room for; the rest is asked
    /// for by the command. Nothing while a request is pending, and never a role for emergencies: those
    /// are taken by name.
    #[must_use]
    pub fn offers(&self, denial: &Denial) -> Vec<Offer> {
        if *denial != Denial::NothingHeld || self.pending.is_some() {
            return Vec::new();
        }
        let usual = self.eligible.iter().filter(|way| !way.emergency);
        usual
            .take(MOST_OFFERS)
            .map(|way| Offer { role: way.role.clone(), reason: way.reason, ticket: way.ticket })
            .collect()
    }
}

impl Way {
    fn new(role: &Role) -> Self {
        Self {
            role: role.name.clone(),
            usual: role.default_duration,
            reason: role.reason.required,
            ticket: role.ticket.is_some(),
            emergency: role.break_glass,
        }
    }

    /// What to type.
    fn command(&self) -> String {
        let (role, usual) = (&self.role, self.usual);
        let ticket = if self.ticket { " --ticket ID" } else { "" };
        let reason = if self.reason { " --reason \"what for\"" } else { "" };
        format!("stint request {role} --for {usual}{ticket}{reason}")
    }
}

/// `one approval, from bob or carol`.
#[must_use]
pub fn awaited(missing: u32, approvers: &[String]) -> String {
    let count = match missing {
        1 => "one approval".to_owned(),
        more => format!("{more} approvals"),
    };
    match approvers.split_last() {
        None => count,
        Some((only, [])) => format!("{count}, from {only}"),
        Some((last, rest)) => format!("{count}, from {} or {last}", rest.join(", ")),
    }
}

/// What the person is told: why, and what to type. At most three lines.
#[must_use]
pub fn denial_lines(
    denial: &Denial,
    host: &str,
    subject: &Subject,
    service: &ServiceName,
    ways: &Ways,
    clock: impl Fn(Timestamp) -> String,
) -> Vec<String> {
    let needs =
        format!("stint: {service} on {host} needs a grant, and you hold none that opens it.");
    match denial {
        Denial::NotYet { grant, role, starts_at } => {
            vec![format!("stint: your grant of {role} ({grant}) starts at {}.", clock(*starts_at))]
        }
        Denial::OtherName { holder } => {
            let user = &subject.user;
            let shared =
                format!("one is held by {holder}, whose number {user} shares; it does not count.");
            vec![needs, format!("stint: {shared}")]
        }
        Denial::NothingHeld => match (&ways.pending, ways.eligible.first()) {
            (Some(Asked { id, role, missing, approvers }), _) => vec![
                format!(
                    "stint: your request {id} for {role} awaits {}.",
                    awaited(*missing, approvers)
                ),
                format!("stint: wait for it:  stint wait {id}"),
            ],
            (None, Some(way)) => vec![needs, format!("stint: ask for one:  {}", way.command())],
            (None, None) => vec![nobody_can_help(host, service, &ways.approvers)],
        },
    }
}

fn nobody_can_help(host: &str, service: &ServiceName, approvers: &[String]) -> String {
    let text = format!("stint: no role in the policy of {host} would open {service} for you");
    match approvers {
        [] => format!("{text}."),
        some => format!("{text}; its administrators are in {}.", some.join(", ")),
    }
}

#[cfg(test)]
mod tests;
