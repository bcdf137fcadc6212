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
    /// Where the policy says so, if a line of it does.
    #[must_use]
    pub const fn at(&self) -> Option<&Position> {
        match self {
            Self::UnknownRole { .. } | Self::NoReason | Self::LongReason { .. } => None,
            Self::NotOnThisHost { at, .. } | Self::TooLong { at, .. } => Some(at),
        }
    }

    /// What it says, without the place.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::UnknownRole { role, known } if known.is_empty() => {
                format!("there is no role {role}: the policy has no role for this host")
            }
            Self::UnknownRole { role, known } => {
                format!("there is no role {role}; the roles of this host: {}", list(known))
            }
            Self::NotOnThisHost { role, host, hosts, .. } => {
                let (host, hosts) = (text::harmless(host), list(hosts));
                format!("{role} does not exist on {host}, only on {hosts}")
            }
            Self::TooLong { role, asked, max, .. } => {
                format!("{role} is given for at most {max}, not for {asked}")
            }
            Self::NoReason => "a grant needs a reason: --reason \"what for\"".to_owned(),
            Self::LongReason { length } => {
                format!("the reason has {length} characters; {TEXT_LIMIT} are the most")
            }
        }
    }

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
        with_place(f, &self.what(), self.at())
    }
}

/// What is said, and the line of the policy that says so behind it.
pub(crate) fn with_place(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    at: Option<&Position>,
) -> fmt::Result {
    match at {
        Some(at) => write!(f, "{what} ({at})"),
        None => write!(f, "{what}"),
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
    let role = find_role(policy, host, role)?;
    let duration = length_within(role, duration)?;
    if reason.trim().is_empty() {
        return Err(OrderRefusal::NoReason);
    }
    let length = reason.chars().count();
    if length > TEXT_LIMIT {
        return Err(OrderRefusal::LongReason { length });
    }
    Ok(Terms { role, duration })
}

/// The role of this name, if it exists on this host.
pub(crate) fn find_role<'a>(
    policy: &'a Policy,
    host: &str,
    role: &RoleName,
) -> Result<&'a Role, OrderRefusal> {
    let Some(role) = policy.roles.get(role) else {
        let known = policy.roles_here(host).map(|role| role.name.clone()).collect();
        return Err(OrderRefusal::UnknownRole { role: role.clone(), known });
    };
    if role.on_host(host) {
        return Ok(role);
    }
    Err(OrderRefusal::NotOnThisHost {
        role: role.name.clone(),
        host: host.to_owned(),
        hosts: role.hosts.clone(),
        at: role.place("hosts").clone(),
    })
}

/// What was asked for, or the role's default, if the role is given for so long.
pub(crate) fn length_within(role: &Role, asked: Option<Length>) -> Result<Length, OrderRefusal> {
    let asked = asked.unwrap_or(role.default_duration);
    if asked <= role.max_duration {
        return Ok(asked);
    }
    Err(OrderRefusal::TooLong {
        role: role.name.clone(),
        asked,
        max: role.max_duration,
        at: role.place("max_duration").clone(),
    })
}
