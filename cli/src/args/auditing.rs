//! What can be typed to read the record.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stint_proto::{GrantId, RoleName, UserName};

/// `stint log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Not before then: 2h (ago), 30d, 2026-11-01, "2026-11-01 09:00" or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Before then, written in the same ways
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with = "follow")]
    pub until: Option<String>,
    /// What concerns this user
    #[arg(long)]
    pub user: Option<UserName>,
    /// What concerns this role
    #[arg(long)]
    pub role: Option<RoleName>,
    /// Events of this name, such as check.denied
    #[arg(long, value_name = "EVENT", value_parser = event)]
    pub event: Option<String>,
    /// What concerns the grant whose id begins like this
    #[arg(long, value_name = "ID")]
    pub grant: Option<GrantId>,
    /// Go on with what is recorded from now on, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Print one JSON document a line, times in UTC
    #[arg(long)]
    pub json: bool,
}

/// The name of an event that there is.
fn event(text: &str) -> Result<String, String> {
    if stint_proto::Event::ALL.iter().any(|event| event.as_str() == text) {
        return Ok(text.to_owned());
    }
    let kind = text.split('.').next().unwrap_or_default();
    let of_kind = stint_proto::Event::ALL.iter().map(|event| event.as_str());
    let like: Vec<_> = of_kind.filter(|name| name.split('.').next() == Some(kind)).collect();
    let hint = if like.is_empty() { "check.denied".to_owned() } else { like.join(", ") };
    Err(format!("there is no event {}: write it such as {hint}", stint_policy::text::quoted(text)))
}

/// `stint metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Into this file, which is replaced whole; that stintd does not answer is said in it too
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `stint audit`.
#[derive(Debug, Args)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub struct AuditArgs {
    /// What to do with it
    #[command(subcommand)]
    pub what: AuditVerb,
}

/// `stint audit …`.
#[derive(Debug, Subcommand)]
pub enum AuditVerb {
    /// Verify the chain of the record: that no event was changed, removed, added or moved
    #[command(
        after_help = "Examples:\n  stint audit verify\n  stint audit verify --state ./state.sqlite --checkpoints ./checkpoints.json\n\n\
                      What this host's own journal says proves nothing against root of this host. Of \
                      a journal on another host:  journalctl -o json STINT_EVENT=audit.checkpoint \
                      _HOSTNAME=web-1 | stint audit verify --checkpoints -\n\n\
                      Exit status: 0 whole, 1 broken, or it could not be told; 2 usage, 3 refused, \
                      69 the daemon cannot be reached."
    )]
    Verify(VerifyArgs),
}

/// `stint audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Checkpoints: what journalctl -o json printed, or lines of a link and its hash; - for standard
    /// input. Those of this host's journal if absent, but not for a copy of a state
    #[arg(long, value_name = "FILE")]
    pub checkpoints: Option<PathBuf>,
    /// A state's file, or a copy of one, which is read without the daemon
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}
