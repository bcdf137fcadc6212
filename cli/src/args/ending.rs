//! What can be typed by whoever ends grants of others.

use std::path::PathBuf;

use clap::Args;
use stint_proto::{GrantId, RoleName, UserName};

use super::{Addressed, Json, Named};

/// `stint revoke`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).multiple(false))]
pub struct RevokeArgs {
    /// The grant of this id, or the only one whose id begins like this; of another host as HOST/ID
    #[arg(group = "which")]
    pub id: Option<Named<GrantId>>,
    /// Every grant of this user
    #[arg(long, group = "which")]
    pub user: Option<UserName>,
    /// Every grant of this role
    #[arg(long, group = "which")]
    pub role: Option<RoleName>,
    /// Every grant
    #[arg(long, group = "which")]
    pub all: bool,
    /// What for; kept in the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// With --user: on all hosts, by the store of the fleet
    #[arg(long, conflicts_with_all = ["hosts", "output"])]
    pub fleet: bool,
    /// Write a document signed by this SSH key, and end nothing here; with --fleet and HOST/ID the key
    /// that signs, sign_with of fleet.toml if absent
    #[arg(long, value_name = "KEY", conflicts_with_all = ["role", "all"])]
    pub sign: Option<PathBuf>,
    /// For whom, and where to, with --sign
    #[command(flatten)]
    pub to: Addressed,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
