//! Signed documents as they are handed in and shown: what became of one, and how a host's sources
//! stand.

use zbus::{DeserializeDict, SerializeDict, Type};

use crate::{Timestamp, words};

words! { wire;
    /// What a document is.
    DocumentKind {
        /// Roles, and who holds them from a file.
        Policy = "policy",
        /// One role for one user, for a while.
        Grant = "grant",
        /// The end of grants.
        Revocation = "revocation",
        /// An approver's word on one request of one host.
        Approval = "approval",
    }
}

impl DocumentKind {
    /// What it is signed as (`ssh-keygen -n`). Who may sign it is a matter of the same word in
    /// `allowed_signers`.
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Policy => "policy@stint",
            Self::Grant => "grant@stint",
            Self::Revocation => "revocation@stint",
            Self::Approval => "approval@stint",
        }
    }

    /// The kind that is signed as this.
    #[must_use]
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        [Self::Policy, Self::Grant, Self::Revocation, Self::Approval]
            .into_iter()
            .find(|kind| kind.namespace() == namespace)
    }
}

words! { wire;
    /// What became of a document that was good.
    DeliveryOutcome {
        /// It counts from now on.
        Taken = "taken",
        /// It counted already; nothing was changed.
        Known = "known",
    }
}

/// What became of a document that was handed in and is good.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Delivery {
    /// What it is.
    pub kind: DocumentKind,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// Of a policy: its serial.
    pub serial: Option<u64>,
    /// Who signed it.
    pub signers: String,
    /// What was done, in one line.
    pub message: String,
    /// What is odd, but no error.
    pub warnings: Vec<String>,
}

/// Somebody who brings documents, and when they last did.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Source {
    /// Its name.
    pub name: String,
    /// When it was last heard of.
    pub at: Timestamp,
    /// When it last worked; absent if it has not since stintd began.
    pub good_at: Option<Timestamp>,
    /// What is wrong with it, or with what it brought last; empty if nothing is.
    pub error: String,
}

/// How signed documents stand on a host that takes them.
#[derive(Clone, Debug, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "dict")]
pub struct Remote {
    /// The serial of the signed policy in force; absent if there is none.
    pub serial: Option<u64>,
    /// Who signed it; empty if there is none.
    pub signers: String,
    /// Since when it is to count, by itself.
    pub not_before: Option<Timestamp>,
    /// Until when new grants rest on it: as it says itself, or as this host's policy does.
    pub current_until: Option<Timestamp>,
    /// Whether that is over.
    pub stale: bool,
    /// What is wrong: with the signed policy that is kept, or with who may sign. A line each.
    pub problems: Vec<String>,
    /// Who brings documents.
    pub sources: Vec<Source>,
}
