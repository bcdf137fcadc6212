//! What can be typed about standing privilege.

use clap::Args;

use super::Json;

/// `stint standing`.
#[derive(Debug, Args)]
pub struct StandingArgs {
    /// Show the policy and the commands that would turn it into eligibility; changes nothing (root)
    #[arg(long)]
    pub adopt: bool,
    /// With --adopt: what these hold alone; everybody's if nobody is named
    #[arg(value_name = "USER", requires = "adopt")]
    pub user: Vec<String>,
    /// Do what --adopt shows
    #[arg(long, requires = "adopt")]
    pub apply: bool,
    /// Give everything back that was adopted, as it was (root)
    #[arg(long, conflicts_with_all = ["adopt", "json"])]
    pub restore: bool,
    /// With --restore: say nothing where nothing was adopted, and do without a record if stintd does
    /// not answer
    #[arg(long, requires = "restore")]
    pub quiet: bool,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
