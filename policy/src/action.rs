//! Actions of polkit, as roles name them. Knows which of them are as good as root; reads nothing.

use std::fmt;
use std::str::FromStr;

use crate::text::quoted;

/// The most characters that an action has.
const LIMIT: usize = 255;

/// Actions whose holder can have anything run as root: by a unit, a program, a package or another
/// account of theirs. polkit does not know which.
const AS_GOOD_AS_ROOT: &[&str] = &[
    "com.ubuntu.pkexec.synaptic",
    "org.debian.apt.install-file",
    "org.debian.apt.install-or-remove-packages",
    "org.freedesktop.accounts.user-administration",
    "org.freedesktop.machine1.host-login",
    "org.freedesktop.machine1.host-shell",
    "org.freedesktop.packagekit.package-install",
    "org.freedesktop.packagekit.package-install-untrusted",
    "org.freedesktop.policykit.exec",
    "org.freedesktop.systemd1.manage-unit-files",
    "org.freedesktop.systemd1.manage-units",
    "org.freedesktop.systemd1.set-environment",
    "org.libvirt.unix.manage",
];

/// An action of polkit, exactly as its `.policy` file calls it: letters, digits, `.`, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolkitAction(String);

/// What is no action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAction(String);

impl PolkitAction {
    /// Its id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether who may do it can have systemd start a unit of their own.
    #[must_use]
    pub fn starts_units(&self) -> bool {
        self.as_str() == "org.freedesktop.systemd1.manage-units"
    }

    /// Whether who may do it can become root by it, as far as is known.
    #[must_use]
    pub fn is_as_good_as_root(&self) -> bool {
        AS_GOOD_AS_ROOT.contains(&self.as_str())
    }
}

impl FromStr for PolkitAction {
    type Err = BadAction;

    fn from_str(text: &str) -> Result<Self, BadAction> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.is_empty() || text.len() > LIMIT || !text.chars().all(fine) {
            return Err(BadAction(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PolkitAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BadAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no polkit action", quoted(&self.0))
    }
}

impl std::error::Error for BadAction {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_are_actions() {
        for text in ["", "a b", "a\"b", "a\\b", "a\nb", "ä", "*", "org.x.*", "a'", "</script>"] {
            assert_eq!(text.parse::<PolkitAction>(), Err(BadAction(text.to_owned())));
        }
        assert!("x".repeat(LIMIT).parse::<PolkitAction>().is_ok());
        assert!("x".repeat(LIMIT + 1).parse::<PolkitAction>().is_err());
        let action: PolkitAction = "org.freedesktop.systemd1.manage-units".parse().unwrap();
        assert_eq!(action.to_string(), action.as_str());
    }

    #[test]
    fn those_that_make_root_are_known_and_are_actions() {
        for text in AS_GOOD_AS_ROOT {
            assert!(text.parse::<PolkitAction>().unwrap().is_as_good_as_root(), "{text}");
        }
        assert!(AS_GOOD_AS_ROOT.is_sorted());
        let reboot: PolkitAction = "org.freedesktop.login1.reboot".parse().unwrap();
        assert!(!reboot.is_as_good_as_root());
    }
}
