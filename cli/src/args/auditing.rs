//! What can be typed to read the record.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use stint_proto::{GrantId, RoleName, UserName};

use super::Json;

/// Which events of the record: the same for everything that reads it.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Events of which a field has this value, such as STINT_ACTOR=bob; of several values of one
    /// field any, of several fields all
    #[arg(value_name = "FIELD=VALUE", value_parser = field)]
    pub fields: Vec<(String, String)>,
    /// Not before then: 2h (ago), 30d, 2026-11-01, "2026-11-01 09:00" or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Before then, written in the same ways
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
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
}

/// `stint log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Which events
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Go on with what is recorded from now on, until Ctrl-C
    #[arg(long, conflicts_with = "until")]
    pub follow: bool,
    /// Print one JSON document a line, times in UTC
    #[arg(long)]
    pub json: bool,
}

/// A field of the record and a value of it.
fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let known = name.strip_prefix("STINT_").is_some_and(|rest| {
        !rest.is_empty()
            && rest.bytes().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(&b))
    });
    if known && text.contains('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    Err(format!(
        "{} is no field and its value: write it such as STINT_ACTOR=bob",
        stint_policy::text::quoted(text)
    ))
}

/// The name of an event that there is.
fn event(text: &str) -> Result<String, String> {
    if stint_proto::Event::named(text).is_some() {
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
        after_help = "Examples:\n  stint audit verify\n  stint audit verify --state ./state.sqlite --checkpoints ./checkpoints.json\n  \
                      stint audit verify --checkpoints ./checkpoints.json --key ./web-1.pub\n\n\
                      What this host's own journal says proves nothing against root of this host. Of \
                      a journal on another host:  journalctl -o json STINT_EVENT=audit.checkpoint \
                      _HOSTNAME=web-1 | stint audit verify --checkpoints -\n\n\
                      Exit status: 0 whole, and signed where --key asks for it; 1 broken, unsigned, signed by another \
                      key, or it could not be told; 2 usage, 3 refused, \
                      69 the daemon cannot be reached."
    )]
    Verify(VerifyArgs),
    /// Write the record out for other programs, to standard output or into a file
    #[command(after_help = "Examples:\n  stint audit export --since 30d\n  \
                      stint audit export --format csv --since 2026-11-01 --until 2026-12-01 -o november.csv\n  \
                      stint audit export --format ocsf --event check.denied STINT_SERVICE=sudo\n  \
                      stint audit export --format ocsf --state ./state.sqlite --host web-1 -o web-1.json\n\n\
                      A file is there whole, readable by its owner alone, or not at all. In CSV a cell \
                      that a spreadsheet might take for a formula begins with an apostrophe.")]
    Export(ExportArgs),
    /// Print the public key by which this host signs its checkpoints, for those who verify them
    #[command(
        after_help = "Examples:\n  stint audit key >web-1.pub\n  stint audit verify --key web-1.pub\n\n\
                      It is a line of allowed_signers, as ssh-keygen -Y verify takes it. Checkpoints are \
                      signed where the policy has sign = true in [audit]. Exit status: 1 where they are not."
    )]
    Key(Json),
}

/// `stint audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Which events
    #[command(flatten)]
    pub filter: FilterArgs,
    /// The form
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Into this file; to standard output if absent, or for -
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    pub replace: bool,
    /// A state's file, or a copy of one, which is read without the daemon
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// With ocsf, whose record it is; this host if absent, but not for a copy of a state
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON document a line, as stint log --json
    #[default]
    Jsonl,
    /// A table: RFC 4180, with a header
    Csv,
    /// A document of the Open Cybersecurity Schema Framework a line
    Ocsf,
}

/// `stint audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Checkpoints: what journalctl -o json printed, or lines of a link and its hash; - for standard
    /// input. Those of this host's journal if absent, but not for a copy of a state
    #[arg(long, value_name = "FILE")]
    pub checkpoints: Option<PathBuf>,
    /// Public keys, or lines of allowed_signers: every checkpoint has to be signed by one of them,
    /// those from before the first that is signed excepted
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The host that must have signed them; with keys of one host it need not be said
    #[arg(long, value_name = "NAME", requires = "key")]
    pub host: Option<String>,
    /// A state's file, or a copy of one, which is read without the daemon
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}
