//! What PAM says about the call, checked, and whether it is root's own. Opens nothing, asks nobody.

use std::fmt;

use stint_proto::{Check, INVOKER_SERVICES, SessionOpen};

use crate::handle::{Handle, Item};
use crate::say;

/// The most bytes of an item.
pub const LONGEST_ITEM: usize = 256;

/// The items of a call: text, none longer than [`LONGEST_ITEM`], absent ones empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// `PAM_SERVICE`; never empty.
    pub service: String,
    /// `PAM_USER`.
    pub user: String,
    /// `PAM_RUSER`.
    pub ruser: String,
    /// `PAM_TTY`.
    pub tty: String,
    /// `PAM_RHOST`.
    pub rhost: String,
}

/// Why the items cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadItem {
    /// PAM would not hand it out.
    Withheld(Item),
    /// It must be set and is not.
    Missing(Item),
    /// It is longer than [`LONGEST_ITEM`].
    TooLong(Item),
    /// It is no UTF-8, or has control characters.
    NoText(Item),
}

impl fmt::Display for BadItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withheld(item) => write!(f, "{} cannot be read", name(*item)),
            Self::Missing(item) => write!(f, "{} is not set", name(*item)),
            Self::TooLong(item) => {
                write!(f, "{} is longer than {LONGEST_ITEM} bytes", name(*item))
            }
            Self::NoText(item) => {
                write!(f, "{} is no UTF-8 text free of control characters", name(*item))
            }
        }
    }
}

const fn name(item: Item) -> &'static str {
    match item {
        Item::Service => "PAM_SERVICE",
        Item::User => "PAM_USER",
        Item::Ruser => "PAM_RUSER",
        Item::Tty => "PAM_TTY",
        Item::Rhost => "PAM_RHOST",
    }
}

fn read(handle: &impl Handle, item: Item) -> Result<String, BadItem> {
    let Some(value) = handle.item(item).map_err(|_| BadItem::Withheld(item))? else {
        return Ok(String::new());
    };
    if value.as_bytes().len() > LONGEST_ITEM {
        return Err(BadItem::TooLong(item));
    }
    let text = value.into_string().map_err(|_| BadItem::NoText(item))?;
    if text.chars().any(say::is_hostile) { Err(BadItem::NoText(item)) } else { Ok(text) }
}

impl Items {
    /// Reads the items of a call.
    ///
    /// # Errors
    /// On an item that is unreadable, too long or no plain text, and on a missing service.
    pub fn read(handle: &impl Handle) -> Result<Self, BadItem> {
        let service = read(handle, Item::Service)?;
        if service.is_empty() {
            return Err(BadItem::Missing(Item::Service));
        }
        Ok(Self {
            service,
            user: read(handle, Item::User)?,
            ruser: read(handle, Item::Ruser)?,
            tty: read(handle, Item::Tty)?,
            rhost: read(handle, Item::Rhost)?,
        })
    }

    /// Whether root itself asks, who is never gated, whether stintd lives or not: the process's
    /// real uid is 0, and the subject is root.
    ///
    /// The subject is `PAM_RUSER` where that is the invoker, else `PAM_USER`. A service that takes
    /// people from other hosts sets `PAM_RUSER` to what the other host claims: beside a
    /// `PAM_RHOST`, only the services that are known for their invoker are believed.
    #[must_use]
    pub fn are_of_root(&self, real_uid: u32) -> bool {
        let invoker = INVOKER_SERVICES.contains(&self.service.as_str()) || self.rhost.is_empty();
        let subject = if invoker && !self.ruser.is_empty() { &self.ruser } else { &self.user };
        real_uid == 0 && subject == "root"
    }

    /// The question of the account phase.
    #[must_use]
    pub fn check(self) -> Check {
        let Self { service, user, ruser, tty, rhost } = self;
        Check { service, user, ruser, tty, rhost }
    }

    /// The report of the session phase.
    #[must_use]
    pub fn session(self) -> SessionOpen {
        let Self { service, user, ruser, tty, rhost } = self;
        SessionOpen { service, user, ruser, tty, rhost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(service: &str, user: &str, ruser: &str, rhost: &str) -> Items {
        let [service, user, ruser, rhost] = [service, user, ruser, rhost].map(str::to_owned);
        Items { service, user, ruser, rhost, tty: String::new() }
    }

    #[test]
    fn nobody_is_root_by_saying_so() {
        assert!(!items("sudo", "root", "root", "").are_of_root(1000));
        assert!(!items("sshd", "root", "", "").are_of_root(1000));
        assert!(!items("su", "root", "alice", "").are_of_root(0));
        assert!(!items("sshd", "alice", "", "198.51.100.7").are_of_root(0));
        assert!(!items("rlogin", "alice", "root", "198.51.100.7").are_of_root(0));
        assert!(!items("sudo", "Root", "", "").are_of_root(0));
        assert!(!items("sudo", "", "", "").are_of_root(0));
    }

    #[test]
    fn root_is_root() {
        assert!(items("sudo", "root", "root", "").are_of_root(0));
        assert!(items("sudo", "alice", "root", "web-1").are_of_root(0));
        assert!(items("su", "alice", "root", "").are_of_root(0));
        assert!(items("sshd", "root", "", "198.51.100.7").are_of_root(0));
        assert!(items("cron", "root", "", "").are_of_root(0));
    }
}
