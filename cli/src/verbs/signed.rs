//! `stint policy sign`, `inspect` and `deliver`, and the signed half of `grant` and `revoke`.

use stint_document::{Header, Kind, Revocation, Revoked, SignedGrant, grant, policy, revocation};
use stint_policy::{SourceFile, parse_alone};
use stint_proto::{Delivery, ExitStatus, GrantId, Timestamp};

use crate::args::{DeliverArgs, GrantArgs, RevokeArgs, SignArgs};
use crate::failure::{Failure, Outcome, root_only};
use crate::look::grants::Here;
use crate::{bus, json, out, sign};

/// How many letters the id of a signed grant has: no host is asked whether it is free.
const ID_LETTERS: usize = 12;
/// How long stintd may take over a policy: visudo and the account database are asked.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(120);

/// Signs policy files.
pub fn sign_policy(args: &SignArgs) -> Outcome {
    let here = Here::system();
    let files = super::policy::read(&args.file)?;
    let until = here.now.checked_add(args.valid);
    let until = until.ok_or_else(|| Failure::usage("it would end after the year 9999"))?;
    let header = sign::header(Kind::Policy, &args.to, (here.now, Some(until)))?;
    let now = u64::try_from(here.now.micros().div_euclid(1_000_000)).unwrap_or(1);
    let serial = args.serial.unwrap_or(now);
    let header = Header { serial: Some(serial), ..header };
    for file in &files {
        check(file)?;
    }
    let text = policy(&header, &files);
    // Together they may be wrong though each is right: what stands twice.
    check(&SourceFile { path: "the files together".to_owned(), text: body(&text) })?;
    sign::write(&text, Kind::Policy, &args.key, &args.to)?;
    let until = header.not_after.unwrap_or(until);
    out::print(&format!(
        "Signed policy {serial} for {}, current until {}.",
        hosts(&header),
        here.clock(until)
    ));
    Ok(ExitStatus::Done)
}

/// A policy after its head.
fn body(text: &str) -> String {
    text.split_once("\n\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

fn check(file: &SourceFile) -> Result<(), Failure> {
    // Of roles for other hosts less is looked at; so this is looked at as no host in particular.
    let loaded = parse_alone(file, "localhost").map_err(|found| super::policy::wrong(&found))?;
    for warning in &loaded.warnings {
        out::warn(&warning.to_string());
    }
    Ok(())
}

/// `web-*, db-1`.
pub fn hosts(header: &Header) -> String {
    header.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Writes a signed grant.
pub fn sign_grant(args: GrantArgs, key: &std::path::Path) -> Outcome {
    let here = Here::system();
    let from = super::future(args.at.as_deref(), &here)?;
    let length = args.duration.ok_or_else(|| Failure::usage("say for how long: --for 2h"))?;
    let until = from.unwrap_or(here.now).checked_add(length);
    let until = until.ok_or_else(|| Failure::usage("it would end after the year 9999"))?;
    let header = sign::header(Kind::Grant, &args.to, (here.now, Some(until)))?;
    let signed = SignedGrant {
        id: new_id()?,
        user: args.user,
        role: args.role,
        from,
        until: header.not_after.unwrap_or(until),
        reason: super::reason(args.reason)?,
        ticket: args.ticket.map(|ticket| super::text("ticket", ticket)).transpose()?,
    };
    sign::write(&grant(&header, &signed), Kind::Grant, key, &args.to)?;
    out::print(&format!(
        "Signed: {} for {} on {} until {} ({}).",
        signed.role,
        signed.user,
        hosts(&header),
        here.clock(signed.until),
        signed.id
    ));
    Ok(ExitStatus::Done)
}

fn new_id() -> Result<GrantId, Failure> {
    let mut bytes = [0_u8; ID_LETTERS];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed(format!("the kernel gives no random bytes: {error}")))?;
    GrantId::from_random(&bytes).ok_or_else(|| Failure::failed("no id was made; try again"))
}

/// Writes a signed revocation.
pub fn sign_revocation(args: RevokeArgs, id: Option<GrantId>, key: &std::path::Path) -> Outcome {
    let here = Here::system();
    let header = sign::header(Kind::Revocation, &args.to, (here.now, None))?;
    let what = match (id, args.user) {
        (Some(id), None) => Revoked::Grant(id),
        (None, Some(user)) => Revoked::User(user),
        _ => return Err(Failure::usage("say which grants: an id, or --user")),
    };
    let whose = match &what {
        Revoked::Grant(id) => format!("the end of {id}"),
        Revoked::User(user) => format!("the end of what {user} holds"),
    };
    let signed = Revocation { what, reason: super::reason(args.reason)? };
    sign::write(&revocation(&header, &signed), Kind::Revocation, key, &args.to)?;
    out::print(&format!("Signed: {whose} on {}.", hosts(&header)));
    Ok(ExitStatus::Done)
}

/// Hands a document to the daemon.
pub fn deliver(args: &DeliverArgs) -> Outcome {
    root_only("policy deliver")?;
    let document = sign::read(&args.file)?;
    let body = ("by hand".to_owned(), document);
    let taken: Delivery = bus::runtime()?.block_on(bus::ask("Deliver", &body, LIMIT))?;
    if args.json.json {
        out::json(&json::delivery(&taken));
        return Ok(ExitStatus::Done);
    }
    for warning in &taken.warnings {
        out::warn(&stint_policy::text::harmless(warning));
    }
    let mut message = stint_policy::text::harmless(&taken.message);
    if let Some(first) = message.get(..1).map(str::to_uppercase) {
        message.replace_range(..1, &first);
    }
    out::print(&format!("{message}."));
    Ok(ExitStatus::Done)
}

/// A point in time and until when, as a clock shows them.
pub fn span(from: Timestamp, until: Option<Timestamp>, here: &Here) -> String {
    match until {
        Some(until) => format!("from {} until {}", here.clock(from), here.clock(until)),
        None => format!("from {} on", here.clock(from)),
    }
}
