//! What root may order with `stint grant`: eligibility is not asked for, the role's longest
//! duration and its hosts are.

use std::fmt;

use stint_proto::{ErrorCode, Length, RoleName, TEXT_LIMIT};

use crate::{HostPattern, Policy, Position, Role, text};

/// On what terms an ordered grant is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// The role ordered.
    pub role: &'a Role,
    /// For how long: as ordered, or the role's default.
    pub duration: Length,
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRefusal {
    /// No role has this name.
    UnknownRole {
        /// The name.
        role: RoleName,
        /// The roles of this host.
        known: Vec<RoleName>,
    },
    /// The role does not exist on this host.
    NotOnThisHost {
        /// The role.
        role: RoleName,
        /// This host.
        host: String,
        /// The role's hosts.
        hosts: Vec<HostPattern>,
        /// Where the policy says so.
        at: Position,
    },
    /// The role is never given for so long.
    TooLong {
        /// The role.
        role: RoleName,
        /// What was ordered.
        asked: Length,
        /// The longest.
        max: Length,
        /// Where the policy says so.
        at: Position,
    },
    /// There is no reason.
    NoReason,
    /// The reason is longer than [`TEXT_LIMIT`].
    LongReason {
        /// How many characters it has.
        length: usize,
    },
}

impl OrderRefusal {
    /// The error that it is on the bus and at the command line.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownRole { .. } | Self::NoReason | Self::LongReason { .. } => {
                ErrorCode::Invalid
            }
            Self::NotOnThisHost { .. } | Self::TooLong { .. } => ErrorCode::Refused,
        }
    }
}

/// The things by name, parted by commas.
pub(crate) fn list<T: fmt::Display>(things: &[T]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for OrderRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownRole { role, known } if known.is_empty() => {
                write!(f, "there is no role {role}: the policy has no role for this host")
            }
            Self::UnknownRole { role, known } => {
                write!(f, "there is no role {role}; the roles of this host: {}", list(known))
            }
            Self::NotOnThisHost { role, host, hosts, at } => {
                let (host, hosts) = (text::harmless(host), list(hosts));
                write!(f, "{role} does not exist on {host}, only on {hosts} ({at})")
            }
            Self::TooLong { role, asked, max, at } => {
                write!(f, "{role} is given for at most {max}, not for {asked} ({at})")
            }
            Self::NoReason => write!(f, "a grant needs a reason: --reason \"what for\""),
            Self::LongReason { length } => {
                write!(f, "the reason has {length} characters; {TEXT_LIMIT} are the most")
            }
        }
    }
}

impl std::error::Error for OrderRefusal {}

/// Looks at what root ordered. `duration` is the role's default if absent.
///
/// # Errors
/// What stands against it, the first thing only.
pub fn check_grant_order<'a>(
    policy: &'a Policy,
    host: &str,
    role: &RoleName,
    duration: Option<Length>,
    reason: &str,
) -> Result<Terms<'a>, OrderRefusal> {
    let Some(role) = policy.roles.get(role) else {
        let known = policy.roles_here(host).map(|role| role.name.clone()).collect();
        return Err(OrderRefusal::UnknownRole { role: role.clone(), known });
    };
    if !role.on_host(host) {
        return Err(OrderRefusal::NotOnThisHost {
            role: role.name.clone(),
            host: host.to_owned(),
            hosts: role.hosts.clone(),
            at: role.place("hosts").clone(),
        });
    }
    let asked = duration.unwrap_or(role.default_duration);
    if asked > role.max_duration {
        return Err(OrderRefusal::TooLong {
            role: role.name.clone(),
            asked,
            max: role.max_duration,
            at: role.place("max_duration").clone(),
        });
    }
    if reason.trim().is_empty() {
        return Err(OrderRefusal::NoReason);
    }
    let length = reason.chars().count();
    if length > TEXT_LIMIT {
        return Err(OrderRefusal::LongReason { length });
    }
    Ok(Terms { role, duration: asked })
}
