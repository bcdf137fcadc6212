//! Names and ids, parsed at the edge: inside, nothing is a bare string that has a meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zbus::Type;

/// A user id as the kernel counts it (`u` on the wire).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
)]
#[serde(transparent)]
pub struct Uid(pub u32);

impl Uid {
    /// The superuser.
    pub const ROOT: Self = Self(0);
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a text is no name of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadName {
    /// What was wanted: "user name", "role name", …
    pub kind: &'static str,
    /// What was found, escaped and cut to a line.
    pub found: String,
    /// Why it is none.
    pub why: &'static str,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no {}: {}", self.found, self.kind, self.why)
    }
}

impl std::error::Error for BadName {}

fn bad(kind: &'static str, text: &str, why: &'static str) -> BadName {
    let found: String = text.chars().take(40).flat_map(char::escape_default).collect();
    BadName { kind, found: format!("\"{found}\""), why }
}

/// What user and group names have in common: the portable set of POSIX and `useradd`, plus
/// capitals and dots inside, and nothing that sudoers, PAM files, paths or shells read otherwise.
fn check_account_name(kind: &'static str, text: &str) -> Result<(), BadName> {
    let fail = |why| Err(bad(kind, text, why));
    if text.is_empty() || text.len() > 32 {
        return fail("it needs 1 to 32 characters");
    }
    let body = text.strip_suffix('$').unwrap_or(text);
    if !body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return fail("only letters, digits, '_', '-' and '.' may stand in it");
    }
    if !body.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return fail("it must begin with a letter or '_'");
    }
    if body.contains("..") || body.ends_with('.') {
        return fail("dots may only stand alone inside it");
    }
    if body.eq_ignore_ascii_case("all") {
        return fail("sudoers reads it as everybody");
    }
    Ok(())
}

fn check_role_name(kind: &'static str, text: &str) -> Result<(), BadName> {
    let fail = |why| Err(bad(kind, text, why));
    if text.is_empty() || text.len() > 48 {
        return fail("it needs 1 to 48 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return fail("only small letters, digits and '-' may stand in it");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || text.ends_with('-') {
        return fail("it must begin with a letter and not end with '-'");
    }
    Ok(())
}

fn check_service_name(kind: &'static str, text: &str) -> Result<(), BadName> {
    let fail = |why| Err(bad(kind, text, why));
    if text.is_empty() || text.len() > 64 {
        return fail("it needs 1 to 64 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@')) {
        return fail("only letters, digits, '_', '-', '.' and '@' may stand in it");
    }
    if text.starts_with(['.', '-']) || text.contains("..") {
        return fail("it must name a file in /etc/pam.d");
    }
    Ok(())
}

fn check_id(kind: &'static str, text: &str) -> Result<(), BadName> {
    let fine = (1..=16).contains(&text.len()) && text.bytes().all(|b| ID_ALPHABET.contains(&b));
    if fine { Ok(()) } else { Err(bad(kind, text, "ids look like g4t9")) }
}

/// What ids are made of: no letter that is mistaken for a digit or for another letter.
const ID_ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Type,
        )]
        #[serde(try_from = "String", into = "String")]
        #[zbus(signature = "s")]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = BadName;

            fn from_str(text: &str) -> Result<Self, BadName> {
                $check($kind, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                $check($kind, &text)?;
                Ok(Self(text))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// An account's name, free of everything that sudoers, PAM files or paths could read otherwise.
    UserName, "user name", check_account_name
);
name!(
    /// A Unix group's name, under the same rules as [`UserName`].
    GroupName, "group name", check_account_name
);
name!(
    /// A role's name: small letters, digits and `-`.
    RoleName, "role name", check_role_name
);
name!(
    /// A PAM service's name, as its file in /etc/pam.d is called.
    ServiceName, "PAM service", check_service_name
);
name!(
    /// A grant's id: four characters or more.
    GrantId, "id", check_id
);
name!(
    /// A request's id: like a grant's, and never the same as one.
    RequestId, "id", check_id
);

macro_rules! random_id {
    ($type:ident) => {
        impl $type {
            /// An id of these bytes, each taken modulo the alphabet.
            #[must_use]
            pub fn from_random(bytes: &[u8]) -> Option<Self> {
                let letters = bytes.iter().filter_map(|byte| {
                    let at = usize::from(*byte) % ID_ALPHABET.len();
                    ID_ALPHABET.get(at).map(|letter| char::from(*letter))
                });
                letters.collect::<String>().parse().ok()
            }
        }
    };
}

random_id!(GrantId);
random_id!(RequestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_something_could_read_otherwise() {
        let hostile = [
            "",
            "ALL",
            "all",
            "-rf",
            "a:b",
            "a,b",
            "#0",
            "%wheel",
            "!bob",
            "a(b",
            "a)b",
            "a\\b",
            "a/b",
            "a=b",
            "a\"b",
            "a b",
            "a\nb",
            "a\u{7}b",
            "1234",
            "0x10",
            "..",
            "a..b",
            ".",
            "+",
            "аlice",
            "alice\u{202e}",
            "a\0",
            "this-name-is-longer-than-any-useradd-would-take",
        ];
        for text in hostile {
            assert!(text.parse::<UserName>().is_err(), "{text:?}");
            assert!(text.parse::<GroupName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn takes_names_that_useradd_takes() {
        for text in ["alice", "_apt", "j.doe", "svc-web", "HOST$", "Bob2"] {
            assert_eq!(text.parse::<UserName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn role_and_service_names_have_their_own_rules() {
        assert!("restart-web".parse::<RoleName>().is_ok());
        for text in ["Admin", "a_b", "-a", "a-", "", "1a", "a b"] {
            assert!(text.parse::<RoleName>().is_err(), "{text:?}");
        }
        assert!("sudo-i".parse::<ServiceName>().is_ok());
        for text in ["../shadow", ".hidden", "a/b", "-x", ""] {
            assert!(text.parse::<ServiceName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_is_one_harmless_line() {
        let error = "a\n\u{1b}[2Jb".parse::<UserName>().unwrap_err().to_string();
        assert!(error.chars().all(|c| !c.is_control()), "{error:?}");
    }
}
