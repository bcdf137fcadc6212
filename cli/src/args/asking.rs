//! What can be typed by whoever asks for a role, or holds one.

use std::ffi::OsString;

use clap::Args;
use stint_proto::{GrantId, Length, RequestId, RoleName};

use super::Json;

/// What `stint request` and `stint run` ask for.
#[derive(Debug, Args)]
pub struct Asking {
    /// Which role
    pub role: RoleName,
    /// For how long: 90s, 30m, 1h30m, 2d; the role's default if absent
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Option<Length>,
    /// From when: 14:30, +30m, "2026-12-01 09:00 Europe/Berlin" or RFC 3339; at once if absent
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// What for; kept in the record, and shown to who approves
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The ticket it refers to
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
}

/// `stint request`.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// What is asked for
    #[command(flatten)]
    pub asking: Asking,
    /// Wait until it is decided; Ctrl-C ends the wait and leaves the request as it is
    #[arg(long)]
    pub wait: bool,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// The request of this id, or the only one whose id begins like this
    pub id: RequestId,
    /// For how long at most: 90s, 30m, 1h30m, 2d; until it is decided if absent
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub timeout: Option<Length>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The request of this id, or the only one whose id begins like this
    pub id: RequestId,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What is asked for, if no grant of the role is held
    #[command(flatten)]
    pub asking: Asking,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// `stint extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The grant of this id, or the only one whose id begins like this
    pub id: GrantId,
    /// By how much its end is moved: 90s, 30m, 1h30m, 2d
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Length,
    /// What for; the grant's own reason if absent
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint drop`.
#[derive(Debug, Args)]
pub struct DropArgs {
    /// The grant of this id, or the only one whose id begins like this; may be left out by who
    /// holds one grant only
    pub id: Option<GrantId>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
