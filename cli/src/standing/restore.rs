//! Giving back what was adopted, as it was: needs no daemon. In an order in which whatever stops it
//! leaves more access, not less: first what was held is there again, then what made eligible goes.

use std::path::Path;

use stint_policy::text::harmless;
use stint_proto::ReloadReport;

use super::kept::{Change, Kept};
use super::rule::uncommented;
use super::{apply, group, tools};
use crate::failure::Failure;
use crate::{bus, out};

const ETC: &str = "/etc";

/// What became of one change.
enum Given {
    /// It is as it was; a line of it.
    Back(String),
    /// It cannot be now, and why.
    NotYet(String),
}

/// Gives back everything that can be; returns whether that is all. What cannot be stays written down,
/// and is said.
///
/// # Errors
/// When what is still to be given back cannot be written down.
pub fn restore(kept: &mut Kept) -> Result<bool, Failure> {
    let is_policy = |change: &Change| matches!(change, Change::Policy { .. });
    let first = pass(kept, &|change| !is_policy(change))?;
    // Who restores by a grant of a role that goes is ended with it: all else comes first. What is not
    // recorded now is tried again at the end.
    drop(apply::tell(kept));
    let some = kept.changes.iter().any(is_policy);
    let policies = pass(kept, &is_policy)?;
    if some {
        // Ends the grants that stand in the way of what is left.
        let loaded: Result<ReloadReport, Failure> = bus::call("Reload", &());
        if let Err(failure) = loaded {
            out::warn(&failure.message);
            out::warn("stint: the roles that were adopted are in force until  stint reload");
        }
    }
    let last =
        if first.is_empty() { Vec::new() } else { pass(kept, &|change| !is_policy(change))? };
    let left: Vec<String> = policies.into_iter().chain(last).collect();
    for why in &left {
        out::warn(&format!("stint: {}", harmless(why)));
    }
    Ok(left.is_empty())
}

/// Gives back those changes; why not, of each that cannot be now. The latest goes first: what was
/// changed twice is in the end as it was before the first time.
fn pass(kept: &mut Kept, wanted: &dyn Fn(&Change) -> bool) -> Result<Vec<String>, Failure> {
    let mut left = Vec::new();
    for at in (0..kept.changes.len()).rev() {
        let Some(change) = kept.changes.get(at).cloned().filter(wanted) else { continue };
        match give_back(&change, kept) {
            Ok(Given::Back(line)) => {
                out::print(&harmless(&line));
                kept.changes.remove(at);
                if !matches!(change, Change::Policy { .. }) {
                    kept.untold.push((false, line));
                }
                kept.write()?;
            }
            Ok(Given::NotYet(why)) | Err(why) => left.push(why),
        }
    }
    Ok(left)
}

fn give_back(change: &Change, kept: &Kept) -> Result<Given, String> {
    match change {
        Change::File { path, copy, after } => {
            let before = kept.copy(copy).map_err(|failure| failure.message)?;
            file(path, &before, after)
        }
        Change::Group { group, before, users } => members(group, before, users),
        Change::Policy { path, text } => policy(path, text),
    }
}

fn file(path: &str, before: &[u8], after: &str) -> Result<Given, String> {
    let now = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let put = |bytes: &[u8]| {
        stint_hostfiles::replace_file(Path::new(path), bytes).map_err(|error| error.to_string())
    };
    if now == before {
        return Ok(Given::Back(format!("{path} is as it was")));
    }
    if now == after.as_bytes() {
        put(before)?;
        return Ok(Given::Back(format!("{path} is as it was, to the byte")));
    }
    // Somebody else has changed it since: only the rules come back.
    let text =
        String::from_utf8(now.clone()).map_err(|_| format!("{path} is no UTF-8 text now"))?;
    let good = tools::sudoers_are_good();
    put(uncommented(&text).as_bytes())?;
    if let (Ok(()), Err(why)) = (good, tools::sudoers_are_good()) {
        put(&now)?;
        return Ok(Given::NotYet(format!(
            "{path} was changed since, and its rules would not be good again: {why}"
        )));
    }
    Ok(Given::Back(format!("{path} was changed since: the rules are in it again, the rest stays")))
}

fn members(name: &str, before: &[String], users: &[String]) -> Result<Given, String> {
    let etc = Path::new(ETC);
    let now = group::members(etc, name).map_err(|error| format!("/etc/group: {error}"))?;
    let Some(now) = now else {
        return Ok(Given::Back(format!("there is no group {name} any more")));
    };
    if now == before {
        return Ok(Given::Back(format!("{name} has its members as before")));
    }
    let after: Vec<&String> = before.iter().filter(|member| !users.contains(member)).collect();
    if now.iter().eq(after.iter().copied()) {
        // In one go, in their old order. An account that is gone stands in the way of it.
        if tools::gpasswd(&["-M", &before.join(","), name]).is_ok() {
            return Ok(Given::Back(format!(
                "{} back in {name}, in the old order",
                users.join(", ")
            )));
        }
    }
    let by_grant = users.iter().find(|user| now.contains(user));
    if let Some(user) = by_grant {
        return Ok(Given::NotYet(format!(
            "{user} is in {name} already, by a grant perhaps: end it, and type the same again"
        )));
    }
    for user in users {
        if let Err(failure) = tools::gpasswd(&["-a", user, name]) {
            out::warn(&format!("{}; {} stays out of it", failure.message, harmless(user)));
        }
    }
    Ok(Given::Back(format!("{} back in {name}, which was changed since", users.join(", "))))
}

fn policy(path: &str, text: &str) -> Result<Given, String> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Given::Back(format!("{path} is gone already")));
        }
        Err(error) => return Err(format!("{path}: {error}")),
        Ok(bytes) if bytes != text.as_bytes() => {
            let text = "was edited since, and stays: remove it if nobody is to ask for its roles";
            return Ok(Given::Back(format!("{path} {text}")));
        }
        Ok(_) => {}
    }
    std::fs::remove_file(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Given::Back(format!("{path} is removed; grants of its roles end")))
}
