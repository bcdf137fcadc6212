//! How roles end what runs under them.

use std::collections::BTreeMap;

use stint_policy::{OnExpiry, Policy, Role};
use stint_proto::{GroupName, Length};

/// How a role ends what runs under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// It ends nothing, and names what is left.
    pub leave: bool,
    /// How long there is between the polite signal and SIGKILL.
    pub grace: Length,
}

impl Default for Manner {
    /// That of a role which says nothing of it, or is not in the policy any more.
    fn default() -> Self {
        let grace = Length::from_seconds(10).unwrap_or(Length::MAX);
        Self { leave: false, grace }
    }
}

impl Manner {
    /// That of this role; of one that is not in the policy any more, the default.
    #[must_use]
    pub fn of(role: Option<&Role>) -> Self {
        role.map_or_else(Self::default, |role| Self {
            leave: role.on_expiry == OnExpiry::Leave,
            grace: role.grace,
        })
    }
}

/// How each group's carriers are ended: by the role that confers it. Of several, the one that ends
/// them, and the longest grace.
#[must_use]
pub fn manners(policy: &Policy) -> BTreeMap<GroupName, Manner> {
    let mut manners: BTreeMap<GroupName, Manner> = BTreeMap::new();
    for role in policy.roles.values() {
        let manner = Manner::of(Some(role));
        for group in &role.groups {
            let known = manners.entry(group.clone()).or_insert(manner);
            known.leave &= manner.leave;
            known.grace = known.grace.max(manner.grace);
        }
    }
    manners
}
