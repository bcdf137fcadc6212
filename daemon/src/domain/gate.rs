//! The gate's decision: who stands at which door, what they hold, and so whether they are let in.
//!
//! Pure. What a person is told is put together here too, so that it always says what was decided.

use std::collections::BTreeSet;

use stint_policy::explain::{Ground, Held, ground};
use stint_policy::{Policy, Subject as PolicySubject};
use stint_proto::{GrantId, GroupName, RoleName, ServiceName, Timestamp, Uid, UserName};

use super::index::Index;
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
    let opens = |role: &RoleName| {
        policy.roles.get(role).is_some_and(|role| role.on_host(host) && role.opens(service))
    };
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

/// The roles that would open a door, as far as that could be found out in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// Those for which the person is eligible.
    pub eligible: Vec<RoleName>,
    /// The others.
    pub others: Vec<RoleName>,
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
    let user = &subject.user;
    match denial {
        Denial::NotYet { grant, role, starts_at } => {
            vec![format!("stint: your grant of {role} ({grant}) starts at {}.", clock(*starts_at))]
        }
        Denial::OtherName { holder } => vec![
            format!("stint: {service} on {host} needs a grant, and you hold none that opens it."),
            format!(
                "stint: one is held by {holder}, whose number {user} shares; it does not count."
            ),
        ],
        Denial::NothingHeld => match ways.eligible.first().or(ways.others.first()) {
            Some(role) => vec![
                format!(
                    "stint: {service} on {host} needs a grant, and you hold none that opens it."
                ),
                format!(
                    "stint: have an administrator type:  \
                     stint grant {user} {role} --for 30m --reason \"what for\""
                ),
            ],
            None => vec![format!(
                "stint: no role in the policy of {host} would open {service} for you."
            )],
        },
    }
}

#[cfg(test)]
mod tests;
