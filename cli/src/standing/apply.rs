//! Adopting, done. In an order in which whatever stops it leaves more access, not less: first what
//! makes eligible is in force, then what is held goes, one by one, each written down before.

use std::collections::BTreeSet;
use std::path::Path;

use similar::TextDiff;
use stint_policy::text::harmless;
use stint_proto::{ExitStatus, ReloadReport, Standing, StandingChange};

use super::kept::{Change, Kept};
use super::plan::{Plan, Rule};
use super::rule::commented;
use super::{POLICY, group, tools};
use crate::failure::Failure;
use crate::{bus, out};

const ETC: &str = "/etc";

/// The commands of a plan, as they are shown before anything is done.
pub fn shown(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(policy) = plan.policy() {
        lines.push(format!("1. {POLICY} is written, and put in force (stint reload):"));
        lines.extend(policy.lines().map(|line| format!("     {}", harmless(line))));
    } else {
        lines.push(
            "1. The policy in force makes them eligible already: nothing is added.".to_owned(),
        );
    }
    let mut number = 2;
    for (group, users) in &plan.groups {
        for user in users {
            let (user, group) = (harmless(user), harmless(group));
            lines.push(format!("{number}. gpasswd -d {user} {group}"));
            number += 1;
        }
    }
    for rule in plan.rules.keys() {
        let path = harmless(&rule.path);
        lines.push(format!("{number}. in {path}, line {}, after visudo -c:", rule.line));
        let text = format!("{}\n", rule.text);
        let after = commented(&text, 1, &rule.text).unwrap_or_default();
        let diff = TextDiff::from_lines(&text, &after);
        for change in diff.iter_all_changes() {
            let line = change.value().trim_end_matches('\n').replace('\t', "    ");
            lines.push(format!("     {}{}", change.tag(), harmless(&line)));
        }
        number += 1;
    }
    lines
}

/// Does it; returns how much was done, which is written down as still to be recorded.
///
/// # Errors
/// At the first step that fails; what was done before it is written down, and `--restore` gives it
/// back.
pub fn apply(plan: &Plan, kept: &mut Kept) -> Result<usize, Failure> {
    make_eligible(plan, kept)?;
    let found: Standing = bus::call("Standing", &())?;
    let able = |user: &str, gives: &str| {
        found.ways.iter().any(|way| way.user == user && way.gives == gives)
    };
    let mut done = 0;
    for (group, users) in &plan.groups {
        let gives = |user: &String| {
            let of = |held: &&stint_proto::StandingPrivilege| {
                held.who == *user && held.group.as_ref() == Some(group)
            };
            let held = found.held.iter().find(of)?;
            held.instead.clone().filter(|gives| able(user, gives))
        };
        let (leave, stay): (BTreeSet<String>, BTreeSet<String>) =
            users.iter().cloned().partition(|user| gives(user).is_some());
        for user in stay {
            let (user, group) = (harmless(&user), harmless(group));
            out::warn(&format!(
                "stint: {user} stays in {group}: no role in force would do instead"
            ));
        }
        done += leave_group(group, &leave, kept)?;
    }
    let mut files: BTreeSet<&str> = BTreeSet::new();
    for (rule, users) in &plan.rules {
        if users.iter().all(|user| able(user, "sudo")) {
            files.insert(&rule.path);
        } else {
            let (path, line) = (harmless(&rule.path), rule.line);
            let text = "stays: not everybody whom it names has a role to ask for instead";
            out::warn(&format!("stint: {path}:{line} {text}"));
        }
    }
    for path in files {
        let of_file = plan.rules.iter().filter(|(rule, users)| {
            rule.path == path && users.iter().all(|user| able(user, "sudo"))
        });
        let rules: Vec<&Rule> = of_file.clone().map(|(rule, _)| rule).collect();
        change_file(path, &rules, kept)?;
        for (rule, users) in of_file {
            let users = users.iter().cloned().collect::<Vec<_>>().join(", ");
            kept.untold.push((true, format!("{users}: sudo rule {}:{}", rule.path, rule.line)));
            done += 1;
        }
        kept.write()?;
    }
    Ok(done)
}

fn make_eligible(plan: &Plan, kept: &mut Kept) -> Result<(), Failure> {
    if let Some(text) = plan.policy() {
        kept.changes.push(Change::Policy { path: POLICY.to_owned(), text: text.clone() });
        kept.write()?;
        stint_hostfiles::put_file(Path::new(POLICY), text.as_bytes(), 0o644)
            .map_err(Failure::failed)?;
    }
    let loaded: Result<ReloadReport, Failure> = bus::call("Reload", &());
    let Err(failure) = loaded else { return Ok(()) };
    if plan.policy().is_some() {
        let removed = std::fs::remove_file(POLICY);
        kept.changes.pop();
        kept.write()?;
        removed.map_err(|error| Failure::failed(format!("{POLICY}: {error}")))?;
    }
    Err(failure)
}

fn leave_group(name: &str, users: &BTreeSet<String>, kept: &mut Kept) -> Result<usize, Failure> {
    let etc = Path::new(ETC);
    let before = group::members(etc, name)
        .map_err(|error| Failure::failed(format!("/etc/group: {error}")))?;
    let before = before.unwrap_or_default();
    let users: Vec<String> = users.iter().filter(|user| before.contains(user)).cloned().collect();
    let shown = harmless(name);
    if users.is_empty() {
        return Ok(0);
    }
    if !group::agree(etc, name, &before) {
        out::warn(&format!(
            "stint: {shown} is left as it is: /etc/group and /etc/gshadow list other members; see  grpck -r"
        ));
        return Ok(0);
    }
    let change = Change::Group { group: name.to_owned(), before, users: users.clone() };
    kept.changes.push(change);
    kept.write()?;
    for user in &users {
        tools::gpasswd(&["-d", user, name])?;
        kept.untold.push((true, format!("{user}: member of {name}")));
        kept.write()?;
    }
    Ok(users.len())
}

fn change_file(path: &str, rules: &[&Rule], kept: &mut Kept) -> Result<(), Failure> {
    let shown = harmless(path);
    let wrong = |why: String| Failure::failed(format!("{shown} was left as it is: {why}"));
    let before = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut text =
        String::from_utf8(before.clone()).map_err(|_| wrong("it is no UTF-8 text".to_owned()))?;
    for rule in rules {
        text = commented(&text, rule.line, &rule.text)
            .ok_or_else(|| wrong(format!("line {} is not what it was", rule.line)))?;
    }
    kept.file(path, &before, &text)?;
    let trial = kept.trial();
    stint_hostfiles::put_file(&trial, text.as_bytes(), 0o440).map_err(Failure::failed)?;
    let good = tools::is_good(&trial);
    drop(std::fs::remove_file(&trial));
    let done = good.map_err(&wrong).and_then(|()| {
        stint_hostfiles::replace_file(Path::new(path), text.as_bytes()).map_err(Failure::failed)?;
        tools::sudoers_are_good().map_err(&wrong)
    });
    if done.is_err() {
        // As it was, whatever went wrong with it.
        stint_hostfiles::replace_file(Path::new(path), &before).map_err(Failure::failed)?;
        kept.changes.pop();
        kept.write()?;
    }
    done
}

/// Has the daemon record what was done and is not recorded yet.
///
/// # Errors
/// When the daemon does not; it is told the next time.
pub fn tell(kept: &mut Kept) -> Result<(), Failure> {
    for adopted in [true, false] {
        let lines: Vec<String> = kept
            .untold
            .iter()
            .filter(|(was, _)| *was == adopted)
            .map(|(_, line)| line.clone())
            .collect();
        if lines.is_empty() {
            continue;
        }
        let told: Result<(), Failure> =
            bus::call("StandingChanged", &StandingChange { adopted, lines });
        told.map_err(|failure| Failure {
            status: ExitStatus::Failed,
            message: format!(
                "{}\nstint: what was done is not recorded yet: type the same again once stintd answers",
                failure.message
            ),
        })?;
        kept.untold.retain(|(was, _)| *was != adopted);
        kept.write()?;
    }
    Ok(())
}
