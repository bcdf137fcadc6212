//! One file a verb: what was typed in, a question asked, the answer shown.

pub mod doctor;
pub mod explain;
pub mod gate;
pub mod generate;
pub mod grant;
pub mod list;
pub mod policy;
pub mod reload;
pub mod revoke;
pub mod roles;
pub mod status;

use stint_proto::Timestamp;

use crate::args::{Cli, Json, Verb};
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;

/// Does what was typed.
///
/// # Errors
/// With what went wrong and its exit status.
pub fn run(cli: Cli) -> Outcome {
    match cli.verb.unwrap_or(Verb::Status(Json { json: false })) {
        Verb::Status(json) => status::run(json),
        Verb::Roles(json) => roles::run(json),
        Verb::Explain(args) => explain::run(args),
        Verb::Grant(args) => grant::run(args),
        Verb::Revoke(args) => revoke::run(args),
        Verb::List(args) => list::run(args),
        Verb::Reload(json) => reload::run(json),
        Verb::Gate(args) => gate::run(args),
        Verb::Doctor(json) => doctor::run(json),
        Verb::Policy(args) => policy::run(args.what),
        Verb::Generate(args) => generate::run(args.what),
    }
}

/// A time as it was typed.
fn time(text: Option<&str>, here: &Here) -> Result<Option<Timestamp>, Failure> {
    let read = |text| crate::when::parse(text, here.now, &here.zone).map_err(Failure::usage);
    text.map(read).transpose()
}

/// A reason that says something.
fn reason(text: String) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage("the reason is empty: say what it is for"));
    }
    let limit = stint_proto::TEXT_LIMIT;
    if text.chars().count() > limit {
        return Err(Failure::usage(format!("the reason is too long: {limit} characters at most")));
    }
    Ok(text)
}
