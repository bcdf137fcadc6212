//! `stint gate`.

use serde_json::{Value, json};
use stint_policy::GateMode;
use stint_proto::{ExitStatus, ServiceName};

use crate::args::{GateArgs, GateChange};
use crate::failure::{Failure, Outcome, root_only};
use crate::gate::change::{Change, plan_off, plan_off_all, plan_on};
use crate::gate::inspect::{Standing, describe, gated};
use crate::gate::places::Places;
use crate::look::table::table;
use crate::{gate, out};

/// Shows or changes which services are gated.
pub fn run(args: GateArgs) -> Outcome {
    let places = Places::system();
    match args.change {
        None => {
            show(&gated(&places), args.json.json);
            Ok(ExitStatus::Done)
        }
        Some(GateChange::On { service, dry_run }) => on(&places, &service, dry_run),
        Some(GateChange::Off { all: true, dry_run, .. }) => off_all(&places, dry_run),
        Some(GateChange::Off { service, dry_run, .. }) => off(&places, &service, dry_run),
    }
}

fn word(standing: &Standing) -> &'static str {
    match (&standing.block, &standing.through) {
        (Some(found), _) => found.mode.as_str(),
        (None, Some(_)) => "included",
        (None, None) => "by hand",
    }
}

fn problem(standing: &Standing) -> Option<String> {
    if let Some(line) = standing.torn {
        return Some(format!("line {line} is one end of the gate's lines without the other"));
    }
    let expected = standing.observes() || standing.denies();
    standing.leak.as_ref().filter(|_| !expected).map(describe)
}

fn show(all: &[Standing], as_json: bool) {
    if as_json {
        let document = all.iter().map(|standing| {
            json!({
                "service": standing.service,
                "gate": word(standing),
                "exempt": standing.block.as_ref().map(|found| &found.exempt),
                "through": standing.through,
                "problem": problem(standing),
            })
        });
        return out::json(&document.collect::<Value>());
    }
    if all.is_empty() {
        return out::print("No PAM service is gated. root: stint gate on sudo");
    }
    let rows: Vec<_> = all
        .iter()
        .map(|standing| {
            let exempt = standing.block.as_ref().map(|found| found.exempt.join(", "));
            let through = standing.through.as_ref().map(|file| format!("through {file}"));
            vec![
                standing.service.clone(),
                word(standing).to_owned(),
                exempt.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned()),
                problem(standing).or(through).unwrap_or_default(),
            ]
        })
        .collect();
    out::print(&table(&["SERVICE", "GATE", "EXEMPT", ""], &rows));
}

fn on(places: &Places, services: &[ServiceName], dry_run: bool) -> Outcome {
    root_only("gate on")?;
    let terms = gate::terms_of_policy()?;
    let changes = plan_on(places, services, &terms)?;
    let needed: Vec<&Change> = changes.iter().filter(|change| change.is_needed()).collect();
    let names = services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if needed.is_empty() {
        out::print(&format!("{names}: already gated ({}); nothing was changed.", terms.mode));
        return Ok(ExitStatus::Done);
    }
    show_and_apply(places, &needed, dry_run)?;
    if dry_run {
        return Ok(ExitStatus::Done);
    }
    let done = needed.iter().map(|change| change.service.as_str()).collect::<Vec<_>>().join(", ");
    // As it is typed: apart by blanks.
    let undo = services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    out::print(&match terms.mode {
        GateMode::Enforce => format!(
            "Gated: {done}. Who holds no grant is denied. Undo it with:  stint gate off {undo}"
        ),
        GateMode::Observe => format!(
            "Observed: {done}. Nobody is denied; what would be is in the log. \
             Undo it with:  stint gate off {undo}"
        ),
    });
    Ok(ExitStatus::Done)
}

fn off(places: &Places, services: &[ServiceName], dry_run: bool) -> Outcome {
    root_only("gate off")?;
    let changes = plan_off(places, services)?;
    if changes.is_empty() {
        let names = services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        out::print(&format!("{names}: not gated; nothing was changed."));
        return Ok(ExitStatus::Done);
    }
    show_and_apply(places, &changes.iter().collect::<Vec<_>>(), dry_run)?;
    Ok(ExitStatus::Done)
}

fn off_all(places: &Places, dry_run: bool) -> Outcome {
    root_only("gate off")?;
    let (changes, mut problems) = plan_off_all(places)?;
    if changes.is_empty() && problems.is_empty() {
        out::print("No PAM service is gated; nothing was changed.");
    }
    for change in &changes {
        // One file that cannot be written must not keep the others shut.
        if let Err(failure) = show_and_apply(places, &[change], dry_run) {
            problems.push(failure.message.trim_start_matches("stint: ").to_owned());
        }
    }
    if problems.is_empty() {
        return Ok(ExitStatus::Done);
    }
    Err(Failure::failed(problems.join("\nstint: ")))
}

fn show_and_apply(places: &Places, changes: &[&Change], dry_run: bool) -> Result<(), Failure> {
    for change in changes {
        for note in &change.notes {
            out::print(note);
        }
        out::print(&change.diff(places));
        if !dry_run {
            change.apply(places)?;
        }
    }
    Ok(())
}
