//! What can be typed about signed documents.

use std::path::PathBuf;

use clap::Args;
use stint_policy::HostPattern;
use stint_proto::Length;

use super::Json;
use crate::failure::Failure;

/// For which hosts, and into which file.
#[derive(Debug, Args)]
pub struct Addressed {
    /// On which hosts it counts, by short or full name: web-1, web-*, *
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    pub hosts: Vec<HostPattern>,
    /// Where to write the signed document
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl Addressed {
    /// Refuses what makes no sense where nothing is signed.
    ///
    /// # Errors
    /// When any of it was typed.
    pub fn check_unsigned(&self) -> Result<(), Failure> {
        if self.hosts.is_empty() && self.output.is_none() {
            return Ok(());
        }
        Err(Failure::usage("--hosts and -o are for a signed document: add --sign KEY"))
    }
}

/// `stint policy sign`.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// Policy files with roles and grants, one after the other
    #[arg(required = true)]
    pub file: Vec<PathBuf>,
    /// Your SSH key, or its public half if an agent or a security key has the other
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    /// Its place in the row of all signed policies; the time in seconds if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 53))]
    pub serial: Option<u64>,
    /// How long it is current, from now on; another has to be signed before that is over
    #[arg(long, value_name = "DURATION", default_value = "7d", allow_hyphen_values = true)]
    pub valid: Length,
    /// For whom, and where to
    #[command(flatten)]
    pub to: Addressed,
}

/// `stint policy inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The document
    pub file: PathBuf,
    /// Who may sign; /etc/stint/allowed_signers if absent
    #[arg(long, value_name = "FILE")]
    pub signers: Option<PathBuf>,
    /// As which host looks at it; this one if absent
    #[arg(long)]
    pub host: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint policy deliver`.
#[derive(Debug, Args)]
pub struct DeliverArgs {
    /// The document
    pub file: PathBuf,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}
