//! What can be typed about policy files.

use clap::{Args, Subcommand};
use stint_proto::{GroupName, RoleName, UserName};

use super::{DeliverArgs, InspectArgs, Json, PublishArgs, SignArgs};

/// `stint policy`.
#[derive(Debug, Args)]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs")]
pub struct PolicyArgs {
    /// What to do with it
    #[command(subcommand)]
    pub what: PolicyVerb,
}

/// `stint policy …`.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// Say everything that is wrong with policy files
    #[command(
        after_help = "Examples:\n  stint policy check\n  stint policy check ./policy.toml ./policy.d --elsewhere"
    )]
    Check {
        /// Files, or folders whose *.toml is meant; the policy of this host if none is named
        file: Vec<std::path::PathBuf>,
        /// The policy is for other hosts: do not look its users and groups up here
        #[arg(long)]
        elsewhere: bool,
        /// How it is printed
        #[command(flatten)]
        json: Json,
    },
    /// Say what would come of a request, or of those of the past
    #[command(
        override_usage = "stint policy simulate [OPTIONS] --user <USER> --role <ROLE> <FILE>\n       \
                          stint policy simulate [OPTIONS] --replay <FILE>",
        after_help = "Examples:\n  stint policy simulate ./policy.toml --user alice --groups engineers --role admin --at 14:30\n  \
                      stint policy simulate ./policy.toml --replay --since 30d\n\n\
                      --replay takes the requests of this host from stintd; root and readers of the \
                      record may have them."
    )]
    Simulate {
        /// The file, or a folder whose *.toml is meant
        file: std::path::PathBuf,
        /// Who asks
        #[arg(long, required_unless_present = "replay")]
        user: Option<UserName>,
        /// The groups of that user
        #[arg(long, value_delimiter = ',')]
        groups: Vec<GroupName>,
        /// For what
        #[arg(long, required_unless_present = "replay")]
        role: Option<RoleName>,
        /// When: 14:30, +30m, "2026-12-01 09:00" or RFC 3339; now if absent
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        at: Option<String>,
        /// On which host; this one if absent
        #[arg(long)]
        host: Option<String>,
        /// What would have come of the requests of the past
        #[arg(long, conflicts_with_all = ["user", "groups", "role", "at"])]
        replay: bool,
        /// Of those since then: 30d (ago), 2026-11-01, "2026-11-01 09:00" or RFC 3339; all if absent
        #[arg(long, value_name = "TIME", allow_hyphen_values = true, requires = "replay", conflicts_with_all = ["user", "groups", "role", "at"])]
        since: Option<String>,
        /// How it is printed
        #[command(flatten)]
        json: Json,
    },
    /// Sign policy files, for many hosts; they take them if their own policy lets them
    #[command(
        after_help = "Examples:\n  stint policy sign fleet.toml --key ~/.ssh/id_ed25519 --hosts \"web-*\" -o fleet.policy\n  \
                      stint policy sign fleet.toml --key ~/.ssh/id_ed25519_sk.pub --hosts \"*\" --valid 2d -o fleet.policy\n\n\
                      ssh-keygen signs, with keys as it takes them. What is signed are roles and \
                      grants; all else is each host's own."
    )]
    Sign(SignArgs),
    /// Say what a signed document is, who signed it, and what it would change here
    #[command(after_help = "Examples:\n  stint policy inspect fleet.policy\n  \
                      stint policy inspect fleet.policy --signers ./allowed_signers --host web-1\n\n\
                      Exit status: 0 it would be believed, 3 it would not, 1 it is no whole document.")]
    Inspect(InspectArgs),
    /// Hand a signed document to this host's daemon (root)
    #[command(after_help = "Example:\n  stint policy deliver fleet.policy")]
    Deliver(DeliverArgs),
    /// Put a signed document into the store of the fleet, and say what the hosts make of it
    #[command(after_help = "Examples:\n  stint policy publish fleet.policy\n  \
                      stint policy publish monday.policy --name fleet\n  stint policy publish bob.grant\n\n\
                      Policies, grants and revocations, each to its place: before the one host that it \
                      names, or before all. Exit status: 0 it counts on all hosts that it is for, 3 a host \
                      refuses it, 4 not yet everywhere.")]
    Publish(PublishArgs),
    /// Print the JSON Schema of the policy, for editors
    Schema,
}
