//! What can be typed by whoever decides on requests of others.

use clap::Args;
use stint_proto::RequestId;

use super::Json;

/// `stint approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request of this id, or the only one whose id begins like this
    pub id: RequestId,
    /// What there is to say about it; kept in the record
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Do not ask whether what is shown is meant
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The request of this id, or the only one whose id begins like this
    pub id: RequestId,
    /// Why; the requester is told
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
