//! `[remote]`: what signed documents may do on a host. Without it they may do nothing.

use std::fmt;
use std::str::FromStr;

use stint_proto::{Length, RoleName, words};

use crate::matching::fits;
use crate::text::quoted;

words! {
    /// What goes on when the signed policy is older than it may be.
    #[derive(Default)]
    Offline {
        /// What runs goes on to its end; nothing new begins.
        #[default]
        Running = "running",
        /// New grants too, for a while.
        New = "new",
        /// Nothing: what rests on signed documents ends.
        Nothing = "nothing",
    }
}

/// The names of roles: small letters, digits and `-`, with `*` for any run of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePattern(String);

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRolePattern {
    found: String,
}

impl fmt::Display for BadRolePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no role's name, not even with *", quoted(&self.found))
    }
}

impl std::error::Error for BadRolePattern {}

impl FromStr for RolePattern {
    type Err = BadRolePattern;

    fn from_str(text: &str) -> Result<Self, BadRolePattern> {
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*');
        if text.is_empty() || text.len() > 48 || !text.chars().all(fine) {
            return Err(BadRolePattern { found: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RolePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl RolePattern {
    /// Whether it means this role.
    #[must_use]
    pub fn matches(&self, role: &RoleName) -> bool {
        fits(self.0.as_bytes(), role.as_str().as_bytes())
    }
}

/// `[remote]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Roles of this host's own policy that signed documents may give.
    pub roles: Vec<RolePattern>,
    /// Names under which a signed policy may bring roles of its own.
    pub define: Vec<RolePattern>,
    /// Roles whose requests may be decided on by signed approvals, whoever brought the role.
    pub approvals: Vec<RolePattern>,
    /// How old a signed policy may be, whatever it says itself.
    pub max_age: Option<Length>,
    /// What goes on when it is older.
    pub offline: Offline,
    /// For how long, where new grants go on.
    pub offline_for: Option<Length>,
    /// Whether the host publishes its requests, what came of them, and its grants.
    pub publish: bool,
}

impl Remote {
    /// Whether signed documents may give this role of the host's own policy.
    #[must_use]
    pub fn gives(&self, role: &RoleName) -> bool {
        self.roles.iter().any(|pattern| pattern.matches(role))
    }

    /// Whether signed approvals may decide on requests for this role.
    #[must_use]
    pub fn approves(&self, role: &RoleName) -> bool {
        self.approvals.iter().any(|pattern| pattern.matches(role))
    }

    /// Whether a signed policy may bring a role of this name.
    #[must_use]
    pub fn defines(&self, role: &RoleName) -> bool {
        self.define.iter().any(|pattern| pattern.matches(role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_names_of_roles_and_nothing_else() {
        for text in ["", "Web", "web?", "web_1", "web.1", "a b"] {
            assert!(text.parse::<RolePattern>().is_err(), "{text}");
        }
        let web: RolePattern = "web-*".parse().unwrap();
        assert!(!web.matches(&"dbweb-1".parse().unwrap()));
        assert!(!web.matches(&"web".parse().unwrap()));
        assert!(web.matches(&"web-admin".parse().unwrap()));
        let remote = Remote { define: vec![web], ..Remote::default() };
        let role = "web-admin".parse().unwrap();
        assert!(remote.defines(&role) && !remote.gives(&role), "one is not the other");
        assert!(!remote.approves(&role), "nor the third");
        let remote = Remote { approvals: remote.define, ..Remote::default() };
        assert!(remote.approves(&role) && !remote.defines(&role) && !remote.gives(&role));
    }
}
