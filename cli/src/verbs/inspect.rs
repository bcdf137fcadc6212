//! `stint policy inspect`: what a signed document is, whether it would be believed, and what it would
//! change. Needs no daemon, and puts nothing in force.

use serde_json::{Value, json};
use stint_document::{
    Content, Document, Kind, Revoked, Signers, Times, Verdict, Verified, look, read, verify,
};
use stint_policy::text::harmless;
use stint_policy::{Diagnostic, Loaded, Policy, SourceFile, parse_alone, parse_signed};
use stint_proto::json::time;
use stint_proto::{ExitStatus, POLICY_DROP_IN_DIR, POLICY_FILE, SIGNERS_FILE};

use super::signed::{hosts, span};
use crate::args::InspectArgs;
use crate::failure::{Failure, Outcome};
use crate::gate::host_name;
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, styled};
use crate::{out, sign};

/// What was found.
struct Found {
    verified: Verified,
    document: Document,
    /// Why it would not be believed here.
    why: Option<String>,
    /// Of a policy: what comes of it together with the host's own, if there is one here.
    policy: Option<Result<Loaded, Vec<Diagnostic>>>,
}

/// Looks at a document.
pub fn run(args: &InspectArgs) -> Outcome {
    let here = Here::system();
    let host = args.host.clone().unwrap_or_else(host_name);
    let bytes = sign::read(&args.file)?;
    let path = harmless(&args.file.to_string_lossy());
    let whole = look(&bytes).map_err(|no| Failure::failed(format!("{path}: {no}")))?;
    let document = read(&whole, &path).map_err(|no| Failure::failed(format!("{path}: {no}")))?;
    let signers = signers(args, &here)?;
    for problem in signers.problems() {
        out::warn(problem);
    }
    let times = Times::at(here.now);
    let (verified, why) = match verify(&bytes, &signers, times) {
        Ok(verified) => (verified, document.counts_on(&host, times).err()),
        Err(refusal) => (whole, Some(refusal)),
    };
    let policy = match &document.content {
        Content::Policy(file) => Some(together(file, &host)),
        Content::Grant(_) | Content::Revocation(_) | Content::Approval(_) => None,
    };
    let found = Found { verified, document, why: why.map(|why| why.to_string()), policy };
    if args.json.json {
        out::json(&shown(&found, &host));
    } else {
        out::print(&text(&found, &host, &here));
    }
    let fits = found.policy.as_ref().is_none_or(Result::is_ok);
    Ok(if found.why.is_none() && fits { ExitStatus::Done } else { ExitStatus::Refused })
}

fn signers(args: &InspectArgs, here: &Here) -> Result<Signers, Failure> {
    let read = |path: &std::path::Path| stint_hostfiles::read_plain(path);
    let file = match &args.signers {
        Some(path) => read(path).map_err(Failure::failed)?,
        // Where this is no host of stint's, nobody is known.
        None => read(SIGNERS_FILE.as_ref())
            .unwrap_or_else(|_| SourceFile { path: SIGNERS_FILE.to_owned(), text: String::new() }),
    };
    Ok(Signers::read(&file.path, &file.text, &here.zone))
}

/// With this host's own policy, where there is one that can be read.
fn together(file: &SourceFile, host: &str) -> Result<Loaded, Vec<Diagnostic>> {
    match stint_hostfiles::read_policy(POLICY_FILE.as_ref(), POLICY_DROP_IN_DIR.as_ref()) {
        Ok(own) => parse_signed(&own, file, host, None),
        Err(_) => parse_alone(file, host),
    }
}

fn text(found: &Found, host: &str, here: &Here) -> String {
    let header = &found.document.header;
    let serial = header.serial.map(|serial| format!(" {serial}")).unwrap_or_default();
    let mut lines = vec![format!(
        "A signed {}{serial} for {}, {}",
        header.kind.as_str(),
        hosts(header),
        span(header.not_before, header.not_after, here)
    )];
    for signer in &found.verified.by {
        let name = if signer.name.is_empty() { "a key that is not named" } else { &signer.name };
        lines.push(format!("  signed by {name} ({})", signer.key));
    }
    lines.extend(says(&found.document, here));
    match &found.policy {
        Some(Ok(loaded)) => lines.extend(brought(&loaded.policy, host, here)),
        Some(Err(errors)) => lines.extend(errors.iter().map(ToString::to_string)),
        None => {}
    }
    lines.push(match &found.why {
        None if header.kind == Kind::Approval => {
            let text = "believes the signature; whether it counts is judged there";
            styled(GOOD, &format!("{} {text}.", harmless(host)))
        }
        None => styled(GOOD, &format!("{} believes it.", harmless(host))),
        Some(why) => styled(BAD, &format!("{} does not believe it: {why}.", harmless(host))),
    });
    lines.join("\n")
}

/// What a document says, in one line; of a policy that is more than one.
fn says(document: &Document, here: &Here) -> Option<String> {
    match &document.content {
        Content::Policy(_) => None,
        Content::Grant(grant) => Some(format!(
            "  gives {} to {} {} ({}): {}",
            grant.role,
            grant.user,
            span(grant.from.unwrap_or(document.header.not_before), Some(grant.until), here),
            grant.id,
            harmless(&grant.reason)
        )),
        Content::Revocation(revocation) => {
            let what = match &revocation.what {
                Revoked::Grant(id) => format!("the grant {id}"),
                Revoked::User(user) => format!("what {user} holds"),
            };
            Some(format!("  ends {what}: {}", harmless(&revocation.reason)))
        }
        Content::Approval(approval) => {
            let verdict = match approval.verdict {
                Verdict::Approve => "approves",
                Verdict::Deny => "denies",
            };
            let note = approval.note.as_deref().map(|note| format!(": {}", harmless(note)));
            let (id, user, role) = (&approval.request, &approval.user, &approval.role);
            Some(format!("  {verdict} {role} for {user} ({id}){}", note.unwrap_or_default()))
        }
    }
}

/// What a signed policy brings here.
fn brought(policy: &Policy, host: &str, here: &Here) -> Vec<String> {
    let mut lines = Vec::new();
    for role in policy.roles_here(host).filter(|role| role.signed) {
        let list = |all: &[stint_policy::Principal]| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
        };
        let eligible = list(&role.eligible);
        lines.push(format!("  role {} for {eligible}: {}", role.name, role.confers().join("; ")));
    }
    for grant in policy.grants.iter().filter(|grant| grant.signed) {
        let when = span(grant.from, Some(grant.until), here);
        lines.push(format!("  gives {} to {} {when}", grant.role, grant.user));
    }
    if lines.is_empty() {
        lines.push("  brings nothing here".to_owned());
    }
    lines
}

fn shown(found: &Found, host: &str) -> Value {
    let header = &found.document.header;
    let signers = found
        .verified
        .by
        .iter()
        .map(|by| json!({ "name": (!by.name.is_empty()).then_some(&by.name), "key": by.key }));
    let mut document = json!({
        "kind": header.kind,
        "serial": header.serial,
        "not_before": time(header.not_before),
        "not_after": header.not_after.map(time),
        "hosts": header.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "signers": signers.collect::<Value>(),
        "host": host,
        "believed": found.why.is_none(),
        "why": found.why,
    });
    let (key, content) = match (&found.document.content, &found.policy) {
        (Content::Policy(_), Some(Ok(loaded))) => ("policy", brings(&loaded.policy, host)),
        (Content::Policy(_), Some(Err(errors))) => {
            ("errors", errors.iter().map(crate::json::diagnostic).collect())
        }
        (Content::Policy(_), None) => ("policy", Value::Null),
        (Content::Grant(grant), _) => (
            "grant",
            json!({
                "id": grant.id,
                "user": grant.user,
                "role": grant.role,
                "from": grant.from.map(time),
                "until": time(grant.until),
                "reason": grant.reason,
                "ticket": grant.ticket,
            }),
        ),
        (Content::Revocation(revocation), _) => {
            let (grant, user) = match &revocation.what {
                Revoked::Grant(id) => (Some(id), None),
                Revoked::User(user) => (None, Some(user)),
            };
            let reason = &revocation.reason;
            ("revocation", json!({ "grant": grant, "user": user, "reason": reason }))
        }
        (Content::Approval(approval), _) => (
            "approval",
            json!({
                "request": approval.request,
                "verdict": approval.verdict.as_str(),
                "user": approval.user,
                "role": approval.role,
                "digest": approval.digest,
                "note": approval.note,
            }),
        ),
    };
    if let Value::Object(fields) = &mut document {
        fields.insert(key.to_owned(), content);
    }
    document
}

fn brings(policy: &Policy, host: &str) -> Value {
    let roles = policy.roles_here(host).filter(|role| role.signed);
    let roles = roles.map(|role| json!({ "name": role.name, "confers": role.confers() }));
    let grants = policy.grants.iter().filter(|grant| grant.signed).map(|grant| {
        json!({
            "user": grant.user,
            "role": grant.role,
            "from": time(grant.from),
            "until": time(grant.until),
            "reason": grant.reason,
        })
    });
    json!({ "roles": roles.collect::<Value>(), "grants": grants.collect::<Value>() })
}
