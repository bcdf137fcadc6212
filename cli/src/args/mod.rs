//! What can be typed: the one definition behind the help, the man page and the completions.

mod asking;
mod auditing;
mod deciding;
mod ending;
mod fleet;
mod policy;
mod reviewing;
mod signing;
mod standing;

use clap::{Args, Parser, Subcommand};
use stint_proto::{Length, RoleName, ServiceName, UserName};

pub use asking::{Asking, CancelArgs, DropArgs, ExtendArgs, RequestArgs, RunArgs, WaitArgs};
pub use auditing::{
    AuditArgs, AuditVerb, ExportArgs, FilterArgs, Format, LogArgs, MetricsArgs, VerifyArgs,
};
pub use deciding::{ApproveArgs, DenyArgs};
pub use ending::RevokeArgs;
pub use fleet::{Named, PendingArgs, PublishArgs, WatchArgs};
pub use policy::{PolicyArgs, PolicyVerb};
pub use reviewing::ReviewArgs;
pub use signing::{Addressed, DeliverArgs, InspectArgs, SignArgs};
pub use standing::StandingArgs;

/// Privilege for a while: who holds what, until when, and why
#[derive(Debug, Parser)]
#[command(
    name = "stint",
    version,
    after_help = "Exit status: 0 done, 1 failed, 2 usage, 3 refused, \
                  4 still pending when the wait ended, 5 no such id, 69 the daemon, or the store of the fleet, cannot be reached.",
    disable_help_subcommand = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs"
)]
pub struct Cli {
    /// What to do; status if nothing is named
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What you hold, until when, what you asked for, and what you may ask for
    Status(Json),
    /// The roles of this host: what each opens, for how long, and whether it is for you
    Roles(Json),
    /// Ask for a role
    #[command(
        after_help = "Examples:\n  stint request admin --for 30m --reason \"disk full on web-1\"\n  \
                      stint request admin --at \"2026-12-01 09:00\" --for 2h --reason \"change window\" --ticket CHG-4711\n  \
                      stint request admin --reason \"disk full on web-1\" --wait\n\n\
                      A reason or a ticket that the role needs is asked for on a terminal. Exit \
                      status: 0 granted, or, without --wait, made and pending; 3 refused, denied or \
                      gone; 4 still pending when the wait ended."
    )]
    Request(RequestArgs),
    /// Wait until a request is decided
    #[command(after_help = "Examples:\n  stint wait 7kq2\n  stint wait 7kq2 --timeout 10m\n\n\
                      Ctrl-C ends the wait and leaves the request as it is. Exit status: 0 granted, \
                      3 denied or gone, 4 still pending when the wait ended.")]
    Wait(WaitArgs),
    /// Take a request back
    #[command(after_help = "Example:\n  stint cancel 7kq2")]
    Cancel(CancelArgs),
    /// Run a command with a role, and give the role back when it ends
    #[command(after_help = "Examples:\n  stint run containers -- docker ps\n  \
                      stint run admin --for 10m --reason \"restart nginx\" -- sudo systemctl restart nginx\n\n\
                      A running grant of the role is used and left as it is; without one the role is \
                      requested, and approvals are waited for. Ctrl-C meanwhile takes the request back. \
                      A request for the role that is pending already is waited for as it is instead, and \
                      Ctrl-C leaves it standing. The command alone has the groups of the role. stint passes on its exit status, or dies of the signal that it died of; 127 \
                      if it is not found, 126 if it cannot be run. SIGTERM and SIGHUP go on to the \
                      command. If stint itself is killed, the grant stays until its end: stint drop.")]
    Run(RunArgs),
    /// Move the end of a grant that you hold
    #[command(after_help = "Example:\n  stint extend g4t9 --for 15m\n\n\
                      Where the role needs approvals, it is a request that awaits them; the grant runs \
                      on to its present end meanwhile.")]
    Extend(ExtendArgs),
    /// Give back a grant that you hold
    #[command(after_help = "Examples:\n  stint drop\n  stint drop g4t9")]
    Drop(DropArgs),
    /// The requests that await your word; root and readers of the record see all that are pending
    #[command(after_help = "Examples:\n  stint pending\n  stint pending --fleet\n\n\
                      With --fleet they are those of all hosts that publish them, as HOST/ID; no daemon \
                      is asked, and what the store says is shown and not believed: FLEET in stint(1).")]
    Pending(PendingArgs),
    /// Say yes to a request, after a look at all that it confers
    #[command(
        after_help = "Examples:\n  stint approve 7kq2\n  stint approve 7kq2 --note \"until the disk is clean\" --yes\n  \
                      stint approve web-1/7kq2\n\n\
                      What is approved is exactly what is shown. Without a terminal --yes is needed.\n\n\
                      HOST/ID is a request of another host (stint pending --fleet). Your word is signed \
                      with your SSH key and published; that host judges it, and what it says is waited \
                      for. Exit status then: 3 it refuses, 4 it is away or has not answered: it does it \
                      when it comes back."
    )]
    Approve(ApproveArgs),
    /// Say no to a request, which is shown first
    #[command(
        after_help = "Examples:\n  stint deny 7kq2 --reason \"wait for the change window\"\n  \
                      stint deny web-1/7kq2 --reason \"wait for the change window\""
    )]
    Deny(DenyArgs),
    /// Who held what, how long, why, and who approved it; what of it asks for a decision; and a
    /// reviewer's word on it (root and readers of the record)
    #[command(
        after_help = "The report:\n  stint review\n  stint review --since 2026-07-01 --until 2026-10-01 --html ./q3.html\n\n\
                      What is to become of it, for the record:\n  \
                      stint review g4t9 --attest remove --note \"the migration is over\"\n  \
                      stint review --attest keep --eligible %engineers --role admin --note \"on call until May\"\n\n\
                      The use of a break-glass role, which is shown first:\n  \
                      stint list --to-review\n  stint review g4t9 --note \"as the incident report says\"\n\n\
                      Who used a break-glass role may use it again once somebody else has reviewed it: an \
                      approver of the role, root or a reader of the record. A word with --attest changes \
                      nothing by itself; it stands beside what it is of at the next review. Nobody's \
                      word counts on what is their own."
    )]
    Review(ReviewArgs),
    /// Why the gate would let somebody in, or would not
    #[command(
        after_help = "Examples:\n  stint explain\n  stint explain su --user alice --at 14:30"
    )]
    Explain(ExplainArgs),
    /// Give a role to a user for a while (root)
    #[command(
        after_help = "Examples:\n  stint grant alice admin --for 30m --reason \"disk full on web-1\"\n  \
                      stint grant bob containers --at \"2026-12-01 09:00\" --for 2h --reason \"change window\" --ticket CHG-4711\n  \
                      stint grant bob containers --for 2h --reason \"change window\" --sign ~/.ssh/id_ed25519 --hosts \"web-*\" -o bob.grant\n\n\
                      With --sign no daemon is asked, and root is not needed: a document is written, which hosts \
                      take whose allowed_signers and [remote] let them (stint policy deliver)."
    )]
    Grant(GrantArgs),
    /// End grants before their time (root)
    #[command(after_help = "Examples:\n  stint revoke g4t9 --reason \"done early\"\n  \
                      stint revoke --user alice --reason \"left the team\"\n  \
                      stint revoke --user alice --reason \"left the team\" --sign ~/.ssh/id_ed25519 --hosts \"*\" -o alice.revoked\n  \
                      stint revoke --fleet --user alice --reason \"left the team\"\n  \
                      stint revoke web-1/g4t9 --reason \"done early\"\n\n\
                      With --fleet, and of another host's grant as HOST/ID, your signed word is published, \
                      for all hosts or for that one, and their answers are waited for; hosts that are away \
                      are named, and do it when they come back. Exit status then: 3 a host refuses, 4 not \
                      yet everywhere.\n\n\
                      With --sign no daemon is asked, and root is not needed: a document is written, which \
                      hosts take whose allowed_signers and [remote] let them (stint policy deliver).")]
    Revoke(RevokeArgs),
    /// Grants that are held or scheduled: your own; root and readers of the record see everybody's
    #[command(
        after_help = "Examples:\n  stint list --all --user alice\n  stint list --fleet --user alice\n\n\
                      With --fleet they are those of all hosts that publish them, as the store tells."
    )]
    List(ListArgs),
    /// What was recorded: who was let in or turned away, what was given, by whom and why (root and
    /// readers of the record)
    #[command(
        after_help = "Examples:\n  stint log --since 2h\n  stint log --user alice --event check.denied\n  \
                      stint log --since 2026-11-01 --until 2026-12-01 --json\n  stint log --since 10m --follow\n  \
                      stint log --event request.approved STINT_ACTOR=bob"
    )]
    Log(LogArgs),
    /// Whether the record is as it was written; the record for other programs (root and readers of
    /// the record)
    Audit(AuditArgs),
    /// Numbers for monitoring, as Prometheus reads them (root and readers of the record)
    #[command(
        after_help = "Examples:\n  stint metrics\n  stint metrics --output /var/lib/prometheus/node-exporter/stint.prom\n\n\
                      stint-metrics.timer, once it is enabled, does the second every minute, for \
                      the node exporter. A stintd that does not answer is stint_up 0 there."
    )]
    Metrics(MetricsArgs),
    /// Who is root here with no end, by what, and what ends it (root and readers of the record)
    #[command(
        after_help = "Examples:\n  stint standing\n  stint standing --json\n  stint standing --adopt\n  stint standing --adopt --apply\n  stint standing --restore"
    )]
    Standing(StandingArgs),
    /// Requests and grants, live, full screen; approve and deny them there
    #[command(after_help = crate::watch::manual())]
    Watch(WatchArgs),
    /// Read the policy again and put it in force (root)
    Reload(Json),
    /// Which PAM services are gated; put the gate into one, or take it out (root)
    #[command(
        after_help = "Examples:\n  stint gate\n  stint gate on sudo --dry-run\n  stint gate on sudo\n  stint gate off --all"
    )]
    Gate(GateArgs),
    /// What is wrong on this host, worst first, each with what mends it (root)
    Doctor(Json),
    /// Work on policy files; needs no daemon, except to replay requests of the past
    Policy(PolicyArgs),
    /// Files for packages
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// The one option of verbs that print data.
#[derive(Clone, Copy, Debug, Args)]
pub struct Json {
    /// Print one JSON document, times in UTC
    #[arg(long)]
    pub json: bool,
}

/// `stint explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The PAM service that is asked about; sudo if none is named
    pub service: Option<ServiceName>,
    /// About somebody else (root)
    #[arg(long)]
    pub user: Option<UserName>,
    /// As of when: 14:30, +30m, "2026-12-01 09:00" or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint grant`.
#[derive(Debug, Args)]
pub struct GrantArgs {
    /// Who shall hold it
    pub user: UserName,
    /// Which role
    pub role: RoleName,
    /// For how long: 90s, 30m, 1h30m, 2d; the role's default if absent
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true)]
    pub duration: Option<Length>,
    /// What for; kept in the record
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// From when: 14:30, +30m, "2026-12-01 09:00" or RFC 3339; now if absent
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// The ticket it refers to
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// Write a document signed by this SSH key, and give nothing here
    #[arg(long, value_name = "KEY", requires_all = ["hosts", "output", "duration"], conflicts_with = "json")]
    pub sign: Option<std::path::PathBuf>,
    /// For whom, and where to, with --sign
    #[command(flatten)]
    pub to: Addressed,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Ended grants too
    #[arg(long)]
    pub all: bool,
    /// Only what awaits your review: uses of break-glass roles, running and ended
    #[arg(long, conflicts_with = "all")]
    pub to_review: bool,
    /// Of all hosts, from the store of the fleet
    #[arg(long, conflicts_with_all = ["all", "to_review"])]
    pub fleet: bool,
    /// Of this user only
    #[arg(long)]
    pub user: Option<UserName>,
    /// Of this role only
    #[arg(long)]
    pub role: Option<RoleName>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint gate`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs"
)]
pub struct GateArgs {
    /// On or off; which services are gated if neither
    #[command(subcommand)]
    pub change: Option<GateChange>,
    /// How it is printed
    #[command(flatten)]
    pub json: Json,
}

/// `stint gate on|off`.
#[derive(Debug, Subcommand)]
pub enum GateChange {
    /// Put the gate's lines into the PAM files of these services; sudo takes sudo-i along, su su-l
    On {
        /// PAM services, such as sudo
        #[arg(required = true)]
        service: Vec<ServiceName>,
        /// Show what would change, and change nothing
        #[arg(long, short = 'n')]
        dry_run: bool,
    },
    /// Take them out again, to the byte
    Off {
        /// PAM services, such as sudo
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        service: Vec<ServiceName>,
        /// Every PAM file that names the module, lines written by hand too
        #[arg(long)]
        all: bool,
        /// Show what would change, and change nothing
        #[arg(long, short = 'n')]
        dry_run: bool,
    },
}

/// `stint generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to make
    #[command(subcommand)]
    pub what: GenerateVerb,
}

/// `stint generate …`.
#[derive(Debug, Subcommand)]
pub enum GenerateVerb {
    /// The man pages
    Man {
        /// Where to put them
        dir: std::path::PathBuf,
    },
    /// The completions of bash, fish and zsh
    Completions {
        /// Where to put them
        dir: std::path::PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// Splits a line as a shell would, as far as the examples need it.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        // Where the output goes is the shell's business.
        words.into_iter().filter(|word| !word.is_empty() && !word.starts_with('>')).collect()
    }

    fn examples(command: &clap::Command, found: &mut Vec<String>) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| line.starts_with("stint "));
        found.extend(lines.map(str::to_owned));
        command.get_subcommands().for_each(|inner| examples(inner, found));
    }

    #[test]
    fn the_examples_of_the_help_can_be_typed() {
        let mut found = Vec::new();
        examples(&Cli::command(), &mut found);
        assert!(found.len() >= 12, "{found:?}");
        for line in found {
            Cli::try_parse_from(words(&line)).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
