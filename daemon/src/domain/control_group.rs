//! The names of control groups: whose slice one is in, whether it is a login's, and the grants that
//! one of stint's is named by. Paths only; reads nothing.

use stint_proto::{GrantId, Uid};

/// How every group of stint's is called first.
const PREFIX: &str = "stint-";

/// A group of the tree, by its path from the root: `/user.slice/user-1000.slice/….scope`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(String);

impl Group {
    /// The group of this path, if it is a path of the tree and of nothing else.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let inside = path.strip_prefix('/')?;
        let fine = |part: &str| !matches!(part, "" | "." | "..");
        // The root itself holds everybody.
        (!path.ends_with(" (deleted)") && inside.split('/').all(fine))
            .then(|| Self(path.to_owned()))
    }

    /// Its path from the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The group of this name right inside it.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Self> {
        Self::parse(&format!("{}/{name}", self.0))
    }

    /// Whether it is that group, or inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether it is that of a login, as logind makes them.
    #[must_use]
    pub fn is_login(&self) -> bool {
        self.name().starts_with("session-") && self.name().ends_with(".scope")
    }

    /// The grants that it is named by: several where one session was opened inside another. A name
    /// counts only where root alone makes groups: people name those below their own systemd.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantId> {
        let parts: Vec<&str> = self.0.split('/').skip(1).collect();
        match parts.as_slice() {
            ["stint", name] => grants_in(name).unwrap_or_default(),
            ["user.slice", slice, name] if slice_owner(slice).is_some() => {
                grants_in(name).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// Whose slice it is in.
    #[must_use]
    pub fn slice_owner(&self) -> Option<Uid> {
        slice_owner(&self.0)
    }
}

/// What the unit of a session is called: `stint-GRANT-SESSION.scope`. The end of any of these
/// grants ends it.
#[must_use]
pub fn unit_name(grants: &[GrantId], session: &str) -> String {
    let grants: Vec<&str> = grants.iter().map(GrantId::as_str).collect();
    let session: String = session.chars().take(8).collect();
    format!("{PREFIX}{}-{session}.scope", grants.join(":"))
}

/// The grants in the name of a group of stint's; `None` if it is none.
#[must_use]
pub fn grants_in(name: &str) -> Option<Vec<GrantId>> {
    let (grants, _) = name.strip_prefix(PREFIX)?.strip_suffix(".scope")?.split_once('-')?;
    grants.split(':').map(|id| id.parse().ok()).collect()
}

/// Whose slice of the tree a path is in: `…/user-1000.slice/…`.
#[must_use]
pub fn slice_owner(path: &str) -> Option<Uid> {
    path.split('/').find_map(|part| {
        let uid = part.strip_prefix("user-")?.strip_suffix(".slice")?;
        uid.parse().ok().map(Uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> GrantId {
        text.parse().unwrap()
    }

    #[test]
    fn a_unit_is_named_by_its_grants_and_says_so() {
        let name = unit_name(&[id("g4t9"), id("k2mf")], "0123456789abcdef");
        assert_eq!(name, "stint-g4t9:k2mf-01234567.scope");
        let group = Group::parse(&format!("/user.slice/user-1000.slice/{name}")).unwrap();
        assert_eq!(group.grants(), [id("g4t9"), id("k2mf")]);
        assert_eq!(group.slice_owner(), Some(Uid(1000)));
        let own = format!("/user.slice/user-7.slice/user@7.service/app.slice/{name}");
        assert_eq!(Group::parse(&own).unwrap().grants(), []);
        assert!(!group.is_login());
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        for name in ["session-3.scope", "stint-.scope", "stint-g4t9.scope", "stint-G!-1.scope"] {
            assert!(grants_in(name).is_none(), "{name}");
        }
        for path in ["", "/", "/..", "/a/../b", "a/b", "/a//b", "/a/b (deleted)"] {
            assert!(Group::parse(path).is_none(), "{path}");
        }
        assert!(Group::parse("/user.slice/user-7.slice/session-3.scope").unwrap().is_login());
    }
}
