//! `stint policy`: everything about policy files that needs no daemon.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stint_policy::simulate::{Simulation, simulate};
use stint_policy::text::harmless;
use stint_policy::{Accounts, Diagnostic, Loaded, Severity, SourceFile, language, parse};
use stint_proto::{ExitStatus, GroupName, POLICY_DROP_IN_DIR, POLICY_FILE, Timestamp, UserName};

use crate::args::PolicyVerb;
use crate::failure::{Failure, Outcome};
use crate::gate::host_name;
use crate::json::diagnostic;
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, count, styled};
use crate::out;

/// Checks, simulates, or prints the schema.
pub fn run(what: PolicyVerb) -> Outcome {
    match what {
        PolicyVerb::Check { file, elsewhere, json } => check(&file, elsewhere, json.json),
        PolicyVerb::Sign(args) => super::signed::sign_policy(&args),
        PolicyVerb::Inspect(args) => super::inspect::run(&args),
        PolicyVerb::Publish(args) => super::fleet::publish::publish(&args),
        PolicyVerb::Deliver(args) => super::signed::deliver(&args),
        PolicyVerb::Schema => {
            out::json(&language::schema());
            Ok(ExitStatus::Done)
        }
        PolicyVerb::Simulate { file, user, groups, role, at, host, replay, since, json } => {
            let here = Here::system();
            let host = host.unwrap_or_else(host_name);
            let loaded = parse(&read(&[file])?, &host, None).map_err(|errors| wrong(&errors))?;
            let (Some(user), Some(role), false) = (user, role, replay) else {
                return super::replay::run(
                    &loaded.policy,
                    &host,
                    since.as_deref(),
                    &here,
                    json.json,
                );
            };
            let at = super::time(at.as_deref(), &here)?.unwrap_or(here.now);
            // In JSON as everywhere else there.
            let clock = |at: Timestamp| if json.json { at.to_string() } else { here.clock(at) };
            let groups: BTreeSet<GroupName> = groups.into_iter().collect();
            let found = simulate(&loaded.policy, &host, &user, &groups, &role, at, &clock);
            let head = if found.may_request {
                styled(GOOD, &format!("{user} may have {role} on {}.", harmless(&host)))
            } else {
                styled(BAD, &format!("{user} may not have {role} on {}.", harmless(&host)))
            };
            if json.json {
                out::json(&simulation(&found));
            } else {
                out::print(&(head + &reasons(&found)));
            }
            Ok(if found.may_request { ExitStatus::Done } else { ExitStatus::Refused })
        }
    }
}

fn reasons(found: &Simulation) -> String {
    let lines = found.reasons.iter().map(|reason| {
        let mark = if reason.ok { "yes" } else { "no " };
        let at = reason.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
        format!("\n  {mark}  {}{at}", reason.text)
    });
    lines.collect()
}

fn simulation(found: &Simulation) -> Value {
    let reasons = found.reasons.iter().map(|reason| {
        json!({
            "ok": reason.ok,
            "text": reason.text,
            "at": reason.at.as_ref().map(ToString::to_string),
        })
    });
    json!({ "may_request": found.may_request, "reasons": reasons.collect::<Value>() })
}

/// The accounts of this host.
struct HostAccounts;

impl Accounts for HostAccounts {
    fn group_exists(&self, group: &GroupName) -> bool {
        // A name service that fails is no reason to call a group unknown.
        !matches!(nix::unistd::Group::from_name(group.as_str()), Ok(None))
    }

    fn user_exists(&self, user: &UserName) -> bool {
        !matches!(nix::unistd::User::from_name(user.as_str()), Ok(None))
    }
}

fn check(files: &[PathBuf], elsewhere: bool, as_json: bool) -> Outcome {
    let sources = if files.is_empty() {
        stint_hostfiles::read_policy(POLICY_FILE.as_ref(), POLICY_DROP_IN_DIR.as_ref())
            .map_err(Failure::failed)?
    } else {
        read(files)?
    };
    let accounts: Option<&dyn Accounts> = if elsewhere { None } else { Some(&HostAccounts) };
    let loaded = parse(&sources, &host_name(), accounts);
    if as_json {
        let (ok, found) = match &loaded {
            Ok(loaded) => (true, &loaded.warnings),
            Err(errors) => (false, errors),
        };
        let found: Value = found.iter().map(diagnostic).collect();
        out::json(&json!({ "ok": ok, "diagnostics": found }));
        return Ok(if ok { ExitStatus::Done } else { ExitStatus::Failed });
    }
    let Loaded { policy, warnings } = loaded.map_err(|errors| wrong(&errors))?;
    for warning in &warnings {
        out::warn(&warning.to_string());
    }
    let (roles, grants) = (policy.roles.len(), policy.grants.len());
    let (roles, grants) = (count(roles, "role", "roles"), count(grants, "grant", "grants"));
    out::print(&format!("The policy is good: {roles}, {grants} held from it."));
    Ok(ExitStatus::Done)
}

/// Everything that is wrong, and how much it is.
pub(super) fn wrong(found: &[Diagnostic]) -> Failure {
    let errors = found.iter().filter(|one| one.severity == Severity::Error).count();
    let mut text: Vec<_> = found.iter().map(ToString::to_string).collect();
    text.push(format!("stint: the policy has {}", count(errors, "error", "errors")));
    Failure::bare(ExitStatus::Failed, text.join("\n"))
}

/// The files, and every `*.toml` of the folders; those of this host's own policy with its checks.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<SourceFile>, Failure> {
    let live = Path::new(POLICY_FILE).parent();
    let mut sources = Vec::new();
    for path in paths {
        let is_live = live.is_some_and(|folder| path.starts_with(folder));
        if path.is_dir() {
            sources.extend(stint_hostfiles::read_dir(path).map_err(Failure::failed)?);
        } else if is_live {
            sources.push(stint_hostfiles::read_trusted(path).map_err(Failure::failed)?);
        } else {
            sources.push(stint_hostfiles::read_plain(path).map_err(Failure::failed)?);
        }
    }
    Ok(sources)
}
