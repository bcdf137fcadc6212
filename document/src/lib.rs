//! Documents that people sign and hosts believe: a policy, a grant, a revocation, an approval. A text, and after it
//! one or more signatures as `ssh-keygen -Y sign` makes them. And what a host signs and people believe:
//! how far its record has come.
//!
//! Pure: no I/O, no clock. Bytes come in, who may sign comes in as text, the time as a value. Nothing
//! of the text is read before a signature over all of it has been found good: the way to its content
//! leads through [`verify`].
#![forbid(unsafe_code)]

mod approval;
mod approver;
mod checkpoint;
mod compose;
mod content;
mod envelope;
mod fields;
mod lines;
mod pattern;
mod refusal;
mod shown;
mod signature;
mod signers;
mod times;
mod verify;

pub use approval::{Approval, Verdict, approval};
pub use approver::Approver;
pub use checkpoint::{
    BadKey, CHECKPOINT_NAMESPACE, HostKey, Statement, Unproven, host_keys, proven,
};
pub use compose::{grant, policy, revocation};
pub use content::{Content, Document, Header, Revocation, Revoked, SignedGrant, read};
pub use envelope::{SIGNATURES, SIZE_LIMIT, text_of};
pub use refusal::Refusal;
pub use shown::digest;
pub use signers::Signers;
pub use times::Times;
pub use verify::{Signer, Verified, look, verify};

pub use stint_proto::DocumentKind as Kind;
