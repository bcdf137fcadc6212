//! What can be typed by whoever decides on requests of others.

use std::path::PathBuf;

use clap::Args;
use stint_proto::RequestId;

use super::{Json, Named};

/// `stint approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request of this id, or the only one whose id begins like this; of another host as HOST/ID
    pub id: Named<RequestId>,
    /// What there is to say about it; kept in the record
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Do not ask whether what is shown is meant
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// With HOST/ID: the SSH key that signs; sign_with of fleet.toml if absent
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The request of this id, or the only one whose id begins like this; of another host as HOST/ID
    pub id: Named<RequestId>,
    /// Why; the requester is told
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// With HOST/ID: the SSH key that signs; sign_with of fleet.toml if absent
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
