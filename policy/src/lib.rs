//! The rules: what the policy files say, whether it makes sense, and what follows from it.
//!
//! Pure. No I/O, no clock, no threads: files come in as text, the host and its accounts as
//! values, `now` as a [`stint_proto::Timestamp`]. Nothing here decides for a live system by
//! itself; the daemon asks, and so does `stint policy`, which needs no daemon.
#![forbid(unsafe_code)]

mod action;
mod diagnostic;
pub mod explain;
pub mod fleet;
mod hours;
pub mod language;
mod load;
mod matching;
mod model;
mod needs;
pub mod order;
mod remote;
pub mod replay;
pub mod request;
mod schema;
mod settings;
pub mod simulate;
mod sudo;
pub mod sync;
pub mod text;

pub use action::{BadAction, PolkitAction};
pub use diagnostic::{Diagnostic, Severity};
pub use hours::{BadHours, Hours};
pub use load::{Accounts, Loaded, SourceFile, parse, parse_alone, parse_signed};
pub use matching::{BadPattern, BadTicketRule, HostPattern, TicketRule, fits};
pub use model::{HeldGrant, Policy, Position, Principal, ReasonRule, Role, Subject, WaysIn};
pub use remote::{BadRolePattern, Offline, Remote, RolePattern};
pub use settings::{
    Approvals, Backend, BadRetention, Gate, GateMode, Notify, OnExpiry, Requests, Retention,
};
pub use sudo::{Args, BadCommand, RunAs, SudoCommand, SudoRule};
