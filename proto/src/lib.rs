//! The words on the wire: names, ids, grants, questions and answers, error codes.
//!
//! No I/O, no clock and no rules. The daemon and the command share these types, so that a word means
//! the same in a D-Bus message, in JSON, in the journal and on a terminal. What the module says and
//! hears is in `stint-wire`; here is its owned form.

pub mod body;
mod call;
mod document;
mod error;
mod event;
pub mod fleet;
mod grant;
mod ids;
#[cfg(feature = "json")]
pub mod json;
mod length;
mod metrics;
mod names;
mod publication;
mod record;
mod request;
mod residue;
mod review;
mod standing;
pub mod store;
mod time;
mod words;

pub use call::{
    Alarm, CheckAnswer, Explain, Explanation, GrantOrder, Health, ListFilter, Note, OpenedSession,
    PamItems, ReloadReport, RevokeOrder, RoleSummary, Status, Verdict,
};
pub use document::{Delivery, DeliveryOutcome, DocumentKind, Remote, Source};
pub use error::{ErrorCode, ExitStatus};
pub use event::{Decision, Event, MESSAGE_ID_BASE, Priority};
pub use grant::{EndReason, Grant, GrantState, Origin};
pub use ids::{BadName, GrantId, GroupName, RequestId, RoleName, ServiceName, Uid, UserName};
pub use length::{BadLength, Length};
pub use metrics::{Metric, MetricKind, Sample};
pub use names::*;
pub use publication::Publication;
pub use record::{CheckpointKey, Link, RecordPage};
pub use request::{
    ApproveOrder, DenyOrder, DoorRequest, DropOrder, ExtendOrder, Offer, PastRequest, Request,
    RequestOrder, RequestState, ReviewOrder,
};
pub use residue::{Finding, Residue, ResidueChange, ResidueKind};
pub use review::{
    AttestOrder, Attestation, EligibleEntry, EligibleUser, GrantsPage, PastApproval, ReviewWord,
    ReviewedGrant,
};
pub use standing::{
    Standing, StandingChange, StandingEnd, StandingKind, StandingPrivilege, StandingWay,
    StandingWeight,
};
pub use stint_wire::text;
pub use time::Timestamp;
