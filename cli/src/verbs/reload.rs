//! `stint reload`.

use stint_policy::text::harmless;
use stint_proto::{ExitStatus, ReloadReport};

use crate::args::Json;
use crate::failure::{Outcome, root_only};
use crate::gate::inspect::gated;
use crate::gate::places::Places;
use crate::look::grants::{Here, ended, granted};
use crate::look::{ODD, count, styled};
use crate::{bus, gate, json, out};

/// Puts the policy on disk in force.
pub fn run(args: Json) -> Outcome {
    root_only("reload")?;
    let report: ReloadReport = bus::call("Reload", &())?;
    let differing = differing();
    if args.json {
        out::json(&json::reload(&report, &differing));
        return Ok(ExitStatus::Done);
    }
    for warning in &report.warnings {
        out::warn(&warning.lines().map(harmless).collect::<Vec<_>>().join("\n"));
    }
    let here = Here::system();
    let roles = usize::try_from(report.roles).unwrap_or(usize::MAX);
    let roles = count(roles, "role", "roles");
    let mode = harmless(&report.gate_mode);
    out::print(&format!("The policy is in force: {roles} on this host, gate mode {mode}."));
    for grant in &report.granted {
        out::print(&granted(grant, &here));
    }
    for grant in &report.ended {
        out::print(&ended(grant));
    }
    if !differing.is_empty() {
        let names = differing.join(" ");
        let text = format!(
            "The PAM files say something else about gate.mode, gate.prompt or gate.exempt. To \
             bring it in:  stint gate on {names}"
        );
        out::print(&styled(ODD, &text));
    }
    Ok(ExitStatus::Done)
}

/// The services whose gate says something other than the policy.
fn differing() -> Vec<String> {
    let Ok(terms) = gate::terms_of_policy() else { return Vec::new() };
    let all = gated(&Places::system()).into_iter();
    all.filter(|standing| standing.differs(&terms)).map(|standing| standing.service).collect()
}
