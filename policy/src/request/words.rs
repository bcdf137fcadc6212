//! What a request has to say for itself: its reason and its ticket.

use stint_proto::{ErrorCode, RoleName, TEXT_LIMIT};

use crate::text::{harmless, quoted};
use crate::{Position, Role};

/// Why the words of a request will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordsRefusal {
    /// There is no reason.
    NoReason {
        /// The role.
        role: RoleName,
        /// How many characters it has at least.
        least: u32,
        /// Where the policy says so.
        at: Position,
    },
    /// The reason is shorter than the role asks for.
    ShortReason {
        /// The role.
        role: RoleName,
        /// How many characters it has.
        length: usize,
        /// How many characters it has at least.
        least: u32,
        /// Where the policy says so.
        at: Position,
    },
    /// A text is longer than [`TEXT_LIMIT`].
    Long {
        /// Which: `reason`, `ticket`.
        what: &'static str,
        /// How many characters it has.
        length: usize,
    },
    /// There is no ticket.
    NoTicket {
        /// The role.
        role: RoleName,
        /// What it looks like.
        shape: String,
        /// Where the policy says so.
        at: Position,
    },
    /// The ticket does not look as it should.
    TicketShape {
        /// The role.
        role: RoleName,
        /// The ticket.
        found: String,
        /// What it looks like.
        shape: String,
        /// Where the policy says so.
        at: Position,
    },
}

impl WordsRefusal {
    pub(super) const fn code(&self) -> ErrorCode {
        match self {
            Self::NoReason { .. } | Self::Long { .. } | Self::NoTicket { .. } => ErrorCode::Invalid,
            Self::ShortReason { .. } | Self::TicketShape { .. } => ErrorCode::Refused,
        }
    }

    pub(super) const fn at(&self) -> Option<&Position> {
        match self {
            Self::Long { .. } => None,
            Self::NoReason { at, .. }
            | Self::ShortReason { at, .. }
            | Self::NoTicket { at, .. }
            | Self::TicketShape { at, .. } => Some(at),
        }
    }

    pub(super) fn what(&self) -> String {
        match self {
            Self::NoReason { role, least: 0 | 1, .. } => {
                format!("a request for {role} needs a reason: --reason \"what for\"")
            }
            Self::NoReason { role, least, .. } => format!(
                "a request for {role} needs a reason of at least {least} characters: \
                 --reason \"what for\""
            ),
            Self::ShortReason { role, length, least, .. } => {
                format!("the reason has {length} characters, and {role} asks for at least {least}")
            }
            Self::Long { what, length } => {
                format!("the {what} has {length} characters; {TEXT_LIMIT} are the most")
            }
            Self::NoTicket { role, shape, .. } => {
                let shape = harmless(shape);
                format!("a request for {role} needs a ticket, --ticket, that looks like {shape}")
            }
            Self::TicketShape { role, found, shape, .. } => {
                let (found, shape) = (quoted(found), harmless(shape));
                format!("{found} is no ticket for {role}; one looks like {shape}")
            }
        }
    }
}

/// A reason that will do; empty where there is none and none is asked for.
pub(super) fn reason(role: &Role, typed: Option<&str>) -> Result<String, WordsRefusal> {
    let text = clean("reason", typed)?;
    let (length, least) = (text.chars().count(), role.reason.min_length);
    if length == 0 {
        if role.reason.required {
            let at = role.place("reason").clone();
            return Err(WordsRefusal::NoReason { role: role.name.clone(), least, at });
        }
        return Ok(text);
    }
    if u32::try_from(length).is_ok_and(|length| length < least) {
        let at = role.place("reason").clone();
        return Err(WordsRefusal::ShortReason { role: role.name.clone(), length, least, at });
    }
    Ok(text)
}

/// A ticket that will do. One that is not asked for is kept.
pub(super) fn ticket(role: &Role, typed: Option<&str>) -> Result<Option<String>, WordsRefusal> {
    let text = clean("ticket", typed)?;
    let found = (!text.is_empty()).then_some(text);
    let Some(rule) = &role.ticket else { return Ok(found) };
    let (role_name, shape, at) =
        (role.name.clone(), rule.to_string(), role.place("ticket").clone());
    match found {
        None => Err(WordsRefusal::NoTicket { role: role_name, shape, at }),
        Some(found) if !rule.matches(&found) => {
            Err(WordsRefusal::TicketShape { role: role_name, found, shape, at })
        }
        Some(found) => Ok(Some(found)),
    }
}

/// The text without blanks around it. What does more than be read is escaped wherever it is shown.
fn clean(what: &'static str, typed: Option<&str>) -> Result<String, WordsRefusal> {
    let text = typed.unwrap_or_default().trim();
    let length = text.chars().count();
    if length > TEXT_LIMIT {
        return Err(WordsRefusal::Long { what, length });
    }
    Ok(text.to_owned())
}
