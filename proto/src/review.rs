//! An access review as it is asked for and answered: what was held, who is eligible and by which
//! line of the policy, and a reviewer's word on either.

use serde::Deserialize;
use zbus::{DeserializeDict, SerializeDict, Type, as_variant};

use crate::{Grant, GrantId, RoleName, Timestamp, UserName, words};

words! { wire;
    /// What a reviewer says of what somebody holds or may ask for.
    ReviewWord {
        /// It is as it should be.
        Keep = "keep",
        /// It should go. Nothing is taken away by the word itself.
        Remove = "remove",
    }
}

/// A reviewer's word.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Attestation {
    /// What they say.
    pub word: ReviewWord,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What for, as typed.
    pub note: String,
    /// Of which grant; absent where it is about eligibility.
    pub grant: Option<GrantId>,
    /// Whose grant, or who is eligible, as the policy writes it: `bob`, `%leads`.
    pub who: String,
    /// Of which role.
    pub role: RoleName,
    /// What would make it so, if the word is `remove`: a command, or a change of the policy.
    pub mend: Option<String>,
}

/// A reviewer's word as it is ordered: of a grant, or of who is eligible for a role.
// zbus' own derive knows no default for what is absent.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, Deserialize, Type)]
#[zbus(signature = "dict")]
#[serde(deny_unknown_fields)]
pub struct AttestOrder {
    /// What they say.
    #[serde(with = "as_variant")]
    pub word: ReviewWord,
    /// The grant whose id begins like this, if only one does.
    #[serde(default, with = "as_variant::optional")]
    pub grant: Option<GrantId>,
    /// Who is eligible: an account, or an entry of the policy such as `%leads`; with `role`.
    #[serde(default, with = "as_variant::optional")]
    pub who: Option<String>,
    /// For which role; with `who`.
    #[serde(default, with = "as_variant::optional")]
    pub role: Option<RoleName>,
    /// What for.
    #[serde(with = "as_variant")]
    pub note: String,
}

/// One approver's yes, and when.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct PastApproval {
    /// Whose.
    pub user: UserName,
    /// When.
    pub at: Timestamp,
    /// What they had to say, as typed.
    pub note: Option<String>,
}

/// A grant, with all that a review needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct ReviewedGrant {
    /// The grant. Of what changed meanwhile only the first things are named.
    pub grant: Grant,
    /// Who approved it, and when; of a grant that needed none, nobody.
    pub approvals: Vec<PastApproval>,
    /// For the use of a break-glass role that was reviewed: when.
    pub reviewed_at: Option<Timestamp>,
    /// And what was found.
    pub review_note: Option<String>,
    /// The last reviewer's word on it.
    pub attested: Option<Attestation>,
}

/// Some grants, by their beginning.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct GrantsPage {
    /// Those that had not ended at the time that was asked for.
    pub grants: Vec<ReviewedGrant>,
    /// When the last that was looked at began: the next page goes on from there; absent at the end.
    pub next_at: Option<Timestamp>,
    /// Its id.
    pub next_id: Option<GrantId>,
}

/// An account that is eligible.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct EligibleUser {
    /// By name.
    pub user: UserName,
    /// The last reviewer's word on this account's eligibility.
    pub attested: Option<Attestation>,
}

/// One entry of `eligible` of a role of this host.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct EligibleEntry {
    /// Of which role.
    pub role: RoleName,
    /// Whether that role is for emergencies.
    pub break_glass: bool,
    /// As the policy writes it: `alice`, `%engineers`.
    pub who: String,
    /// In which file it stands.
    pub path: String,
    /// In which line.
    pub line: u32,
    /// Whether the host knows such an account or group; absent where it did not say in time.
    pub known: Option<bool>,
    /// The accounts that it makes eligible, as far as the host lists them.
    pub users: Vec<EligibleUser>,
    /// The last reviewer's word on the entry.
    pub attested: Option<Attestation>,
}

#[cfg(test)]
mod tests {
    use zbus::wire::serialized::Context;
    use zbus::wire::{LE, to_bytes};

    use super::*;

    #[test]
    fn what_is_ordered_is_what_is_read_and_a_word_is_keep_or_remove() {
        let order = AttestOrder {
            word: ReviewWord::Remove,
            grant: None,
            who: Some("%leads".to_owned()),
            role: Some("admin".parse().unwrap()),
            note: "left the team".to_owned(),
        };
        let bytes = to_bytes(Context::new(LE, 0), &order).unwrap();
        assert_eq!(bytes.deserialize::<AttestOrder>().unwrap().0, order);
        assert_eq!(ReviewWord::WORDS, ["keep", "remove"]);
        assert_eq!(ReviewWord::from_word("Keep"), None);
    }
}
