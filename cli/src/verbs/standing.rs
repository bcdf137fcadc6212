//! `stint standing`: who is root here with no end, and turning that into eligibility.

use std::path::Path;

use stint_policy::text::quoted;
use stint_proto::{ExitStatus, ReloadReport, SUDO_SERVICES, Standing};

use crate::args::StandingArgs;
use crate::failure::{Failure, Outcome, root_only};
use crate::gate::inspect;
use crate::gate::places::Places;
use crate::look::grants::Here;
use crate::look::{BAD, HEAD, ODD, count, styled};
use crate::standing::kept::{Kept, alone};
use crate::standing::plan::{Plan, There, blockers, plan};
use crate::standing::{POLICY, apply, document, restore, tools};
use crate::{bus, gate, look, out};

/// Does what was typed.
pub fn run(args: StandingArgs) -> Outcome {
    if args.restore {
        return give_back(args.quiet);
    }
    if args.adopt {
        return adopt(args.apply, args.json.json, args.user);
    }
    let found: Standing = bus::call("Standing", &())?;
    let host = gate::host_name();
    if args.json.json {
        out::json(&document::standing(&found, &host));
    } else {
        out::print(&look::standing::standing(&found, &host, &Here::system()));
    }
    Ok(ExitStatus::Done)
}

fn adopt(really: bool, as_json: bool, users: Vec<String>) -> Outcome {
    root_only("standing --adopt")?;
    if as_json {
        return Err(Failure::usage("--adopt has no --json: it prints a policy and commands"));
    }
    let _alone = really.then(alone).transpose()?;
    let mut kept = Kept::read()?;
    if really {
        apply::tell(&mut kept)?;
    }
    let roles = gate::policy_of_files()?.policy.roles.into_keys().map(|role| role.to_string());
    let policy = Path::new(POLICY).exists();
    let there = There { roles: roles.collect(), policy, only: users.into_iter().collect() };
    if really && policy {
        // It may have been written and not put in force.
        let _loaded: ReloadReport = bus::call("Reload", &())?;
    }
    let found: Standing = bus::call("Standing", &())?;
    let holds_nothing = |user: &&String| !found.held.iter().any(|held| held.who == **user);
    if let Some(user) = there.only.iter().find(holds_nothing) {
        let user = quoted(user);
        let text = "holds nothing here that has no end; who does is shown by  stint standing";
        return Err(Failure::usage(format!("{user} {text}")));
    }
    let plan = plan(&found, &there);
    show(&plan);
    if plan.is_empty() {
        return Ok(ExitStatus::Done);
    }
    let sudoers = if plan.rules.is_empty() { None } else { tools::sudoers_are_good().err() };
    let sudoers = sudoers.map(|why| format!("the rules of sudo are not good as they are: {why}"));
    let why = blockers(&found, gate_is_open()?.into_iter().chain(sudoers));
    if !why.is_empty() {
        let lines = why.iter().map(|line| format!("stint: not now: {line}")).collect::<Vec<_>>();
        let text = lines.join("\n");
        if really {
            return Err(Failure::bare(
                ExitStatus::Refused,
                format!("{text}\nstint: nothing was changed"),
            ));
        }
        out::warn(&text);
    }
    if !really {
        out::print("\nNothing was changed. To do it:  stint standing --adopt --apply");
        return Ok(ExitStatus::Done);
    }
    let done = apply::apply(&plan, &mut kept);
    if let Some(why) = tools::groups_are_bad() {
        out::warn(&styled(ODD, &format!("stint: {why}")));
    }
    apply::tell(&mut kept)?;
    let done = done.inspect_err(|_| {
        let text =
            "it stopped on the way: type the same again to go on, or undo what was done with";
        out::warn(&format!("stint: {text}  stint standing --restore"));
    })?;
    let text = count(done, "privilege is", "privileges are");
    out::print(&format!(
        "\nDone: {text} something to ask for now. Shells that are open keep their groups until they \
         end. Undo it with:  stint standing --restore"
    ));
    Ok(ExitStatus::Done)
}

fn show(plan: &Plan) {
    if plan.is_empty() {
        out::print("There is nothing that stint can turn into eligibility.");
    } else {
        let people = plan.people().len();
        let text = format!(
            "What {} would become something to ask for:",
            count(people, "person holds", "people hold")
        );
        out::print(&styled(HEAD, &text));
        out::print(&apply::shown(plan).join("\n"));
    }
    let part = |title: &str, lines: &[String], style| {
        if !lines.is_empty() {
            let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
            out::print(&format!("\n{}\n{}", styled(style, title), lines.join("\n")));
        }
    };
    part("Kept as it is", &plan.kept, ODD);
    part("To be ended by hand", &plan.by_hand, BAD);
}

/// Why the gate would let in who has just lost what they held, or keep out who is exempt, if so.
fn gate_is_open() -> Result<Option<String>, Failure> {
    let places = Places::system();
    let terms = gate::terms_of_policy()?;
    for service in SUDO_SERVICES.iter().filter(|service| places.has(service)) {
        let Some(standing) = inspect::standing(&places, service) else { continue };
        if !standing.denies() || standing.observes() {
            let why =
                "so a shell that was open keeps its groups for sudo; put it in, in enforce mode:";
            return Ok(Some(format!(
                "the gate is not on for {service}, {why}  stint gate on sudo"
            )));
        }
        if standing.differs(&terms) {
            let why = "does not say what the policy does, and exempt is who is in it:";
            return Ok(Some(format!("the PAM file of {service} {why}  stint gate on {service}")));
        }
    }
    Ok(None)
}

fn give_back(quietly: bool) -> Outcome {
    root_only("standing --restore")?;
    if Kept::read()?.is_empty() {
        if !quietly {
            out::print("Nothing was adopted; nothing was changed.");
        }
        return Ok(ExitStatus::Done);
    }
    let _alone = alone()?;
    let mut kept = Kept::read()?;
    let whole = restore::restore(&mut kept)?;
    let told = apply::tell(&mut kept);
    if !quietly {
        told?;
    }
    if whole {
        out::print("What was adopted is held again.");
        Ok(ExitStatus::Done)
    } else {
        Err(Failure::failed("not all is given back: see above, then type the same again"))
    }
}
