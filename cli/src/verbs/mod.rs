//! One file a verb: what was typed in, a question asked, the answer shown.

pub mod approve;
pub mod audit;
pub mod cancel;
pub mod deny;
pub mod doctor;
pub mod drop;
pub mod explain;
pub mod export;
pub mod extend;
pub mod fleet;
pub mod gate;
pub mod generate;
pub mod grant;
pub mod inspect;
pub mod key;
pub mod list;
pub mod log;
pub mod metrics;
pub mod pending;
pub mod policy;
pub mod reload;
pub mod replay;
pub mod request;
pub mod review;
pub mod revoke;
pub mod roles;
pub mod run;
pub mod signed;
pub mod standing;
pub mod status;
pub mod verify;
pub mod wait;
pub mod watch;

use stint_proto::{ExitStatus, Request, Timestamp};

use crate::args::{Cli, Json, Verb};
use crate::failure::Failure;
use crate::look::grants::Here;
use crate::{look, out};

/// Does what was typed: the exit status, which is a contract's or, of `stint run`, the command's.
///
/// # Errors
/// With what went wrong and its exit status.
pub fn run(cli: Cli) -> Result<u8, Failure> {
    let done = match cli.verb.unwrap_or(Verb::Status(Json { json: false })) {
        Verb::Run(args) => return run::run(args),
        Verb::Status(json) => status::run(json),
        Verb::Roles(json) => roles::run(json),
        Verb::Request(args) => request::run(args),
        Verb::Wait(args) => wait::run(&args),
        Verb::Cancel(args) => cancel::run(&args),
        Verb::Extend(args) => extend::run(args),
        Verb::Drop(args) => drop::run(args),
        Verb::Pending(args) => pending::run(args),
        Verb::Approve(args) => approve::run(args),
        Verb::Deny(args) => deny::run(args),
        Verb::Review(args) => review::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Grant(args) => grant::run(args),
        Verb::Revoke(args) => revoke::run(args),
        Verb::List(args) => list::run(args),
        Verb::Log(args) => log::run(&args),
        Verb::Audit(args) => audit::run(args),
        Verb::Metrics(args) => metrics::run(&args),
        Verb::Standing(args) => standing::run(args),
        Verb::Watch(args) => watch::run(&args),
        Verb::Reload(json) => reload::run(json),
        Verb::Gate(args) => gate::run(args),
        Verb::Doctor(json) => doctor::run(json),
        Verb::Policy(args) => policy::run(args.what),
        Verb::Generate(args) => generate::run(args.what),
    };
    done.map(|status| status as u8)
}

/// Shows what an approver's word came to.
fn decided(request: &Request, json: Json) -> ExitStatus {
    if json.json {
        out::json(&crate::json::request(request));
    } else {
        out::print(&look::requests::decided(request));
    }
    ExitStatus::Done
}

/// A time as it was typed.
fn time(text: Option<&str>, here: &Here) -> Result<Option<Timestamp>, Failure> {
    let read = |text| crate::when::parse(text, here.now, &here.zone).map_err(Failure::usage);
    text.map(read).transpose()
}

/// A time as it was typed, that has not passed.
fn future(text: Option<&str>, here: &Here) -> Result<Option<Timestamp>, Failure> {
    let Some(typed) = text else { return Ok(None) };
    let at = time(text, here)?;
    if at.is_some_and(|at| at < here.now) {
        let now = here.clock(here.now);
        let typed = stint_policy::text::quoted(typed);
        let why = format!("{typed} is past, it is {now}; without --at it begins at once");
        return Err(Failure::usage(why));
    }
    Ok(at)
}

/// A reason that says something.
fn reason(reason: String) -> Result<String, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::usage("the reason is empty: say what it is for"));
    }
    text("reason", reason)
}

/// A text that is neither empty nor too long.
fn text(what: &str, text: String) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage(format!("the {what} is empty")));
    }
    let limit = stint_proto::TEXT_LIMIT;
    if text.chars().count() > limit {
        return Err(Failure::usage(format!("the {what} is too long: {limit} characters at most")));
    }
    Ok(text)
}
