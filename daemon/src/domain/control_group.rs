//! The names of control groups: whose slice one is in, whether it is a login's, and the grants that
//! one of stint's is named by. Paths only; reads nothing.

use stint_proto::{GrantId, Uid};

/// How every group of stint's is called first.
const PREFIX: &str = "stint-";
/// Where systemd keeps people's slices.
pub const USERS: &str = "user.slice";

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

    /// Whether it is that of a login, where root alone makes groups: right in a person's slice. A
    /// group of threads may be made in it.
    #[must_use]
    pub fn is_login_in_slice(&self) -> bool {
        matches!(self.parts().as_slice(), [USERS, slice, _] if slice_owner(slice).is_some())
            && self.is_login()
    }

    /// The grants that it is named by: several where one session was opened inside another. A name
    /// counts only where root alone makes groups: people name those below their own systemd.
    #[must_use]
    pub fn grants(&self) -> Vec<GrantId> {
        match self.parts().as_slice() {
            ["stint", name] => grants_in(name).unwrap_or_default(),
            [USERS, slice, name] if slice_owner(slice).is_some() => {
                grants_in(name).unwrap_or_default()
            }
            _ if self.home().is_some() => grants_in(self.name()).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The grants that a session is named by that begins in this group: those of the group, and this.
    #[must_use]
    pub fn grants_with(&self, grant: &GrantId) -> Vec<GrantId> {
        let mut grants = self.grants();
        if !grants.contains(grant) {
            grants.push(grant.clone());
        }
        grants
    }

    /// Of a group of threads that stint made in a login's: the group of its name in the slice around
    /// it, to which those who live for a while are moved. Nobody is moved the other way. `None` for
    /// every other group.
    #[must_use]
    pub fn home(&self) -> Option<Self> {
        let slice = self.login_around()?.parent()?;
        slice.child(self.name())
    }

    /// Of a group of threads that stint made in a login's: the login's.
    #[must_use]
    pub fn login_around(&self) -> Option<Self> {
        let login = self.parent().filter(Self::is_login_in_slice)?;
        grants_in(self.name()).map(|_| login)
    }

    fn parts(&self) -> Vec<&str> {
        self.0.split('/').skip(1).collect()
    }

    fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').and_then(|(parent, _)| Self::parse(parent))
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
        assert_eq!(group.home(), None);
    }

    #[test]
    fn a_group_of_threads_has_a_home_in_the_slice_around_its_login() {
        let name = unit_name(&[id("g4t9")], "0123456789abcdef");
        let login = Group::parse("/user.slice/user-1000.slice/session-3.scope").unwrap();
        assert!(login.is_login_in_slice() && login.home().is_none());
        let threads = login.child(&name).unwrap();
        assert_eq!(threads.grants(), [id("g4t9")]);
        assert_eq!(threads.slice_owner(), Some(Uid(1000)));
        assert_eq!(threads.login_around().unwrap(), login);
        let home = threads.home().unwrap();
        assert_eq!(home.as_str(), format!("/user.slice/user-1000.slice/{name}"));
        for other in [
            format!("/user.slice/user-1000.slice/user@1000.service/session-3.scope/{name}"),
            format!("/user.slice/session-3.scope/{name}"),
            format!("/user.slice/user-1000.slice/other.scope/{name}"),
            format!("/user.slice/user-1000.slice/session-3.scope/inner/{name}"),
            "/user.slice/user-1000.slice/session-3.scope/other".to_owned(),
        ] {
            let other = Group::parse(&other).unwrap();
            assert!(other.home().is_none() && other.grants().is_empty(), "{other:?}");
        }
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
