//! How signed documents stand, in sentences.

use stint_policy::text::harmless;
use stint_proto::{Remote, Source};

use super::grants::Here;
use super::{BAD, ODD, styled};

/// A line each: the policy, who brings documents, and what is wrong.
pub fn remote(remote: &Remote, here: &Here) -> Vec<String> {
    let mut lines = Vec::new();
    match (remote.serial, remote.current_until) {
        (Some(serial), Some(until)) => {
            let signers = harmless(&remote.signers);
            let until = here.clock(until);
            lines.push(if remote.stale {
                let text = format!(
                    "The signed policy {serial} by {signers} is out of date since {until}: nothing \
                     new is given by it."
                );
                styled(BAD, &text)
            } else {
                format!("The signed policy {serial} by {signers} is current until {until}.")
            });
        }
        _ if remote.problems.is_empty() => {
            lines.push("No signed policy has come yet.".to_owned());
        }
        _ => lines.push(styled(BAD, "The signed policy is not in force, or not all may sign:")),
    }
    lines.extend(remote.problems.iter().map(|problem| format!("  {}", harmless(problem))));
    lines.extend(remote.sources.iter().map(|source| brings(source, here)));
    lines
}

fn brings(source: &Source, here: &Here) -> String {
    let (name, at) = (harmless(&source.name), here.clock(source.at));
    if source.error.is_empty() {
        return format!("  {name}: good, {at}");
    }
    let good = match source.good_at {
        Some(good) => format!("last good {}", here.clock(good)),
        None => "not good yet".to_owned(),
    };
    styled(ODD, &format!("  {name}: {} ({at}, {good})", harmless(&source.error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_it_stands() {
        let now = "2026-11-23T14:03:40Z".parse().unwrap();
        let here = Here { now, zone: jiff::tz::TimeZone::UTC };
        let shown = |remote: &Remote| {
            let text = super::remote(remote, &here).join("\n");
            anstream::adapter::strip_str(&text).to_string()
        };
        let source = |error: &str, good_at| Source {
            name: "https://fleet.example.org/web".into(),
            at: now,
            good_at,
            error: error.into(),
        };
        let mut remote = Remote {
            serial: None,
            signers: String::new(),
            not_before: None,
            current_until: None,
            stale: false,
            problems: Vec::new(),
            sources: vec![source("no route to host", None)],
        };
        assert_eq!(
            shown(&remote),
            "No signed policy has come yet.\n  https://fleet.example.org/web: no route to host \
             (14:03, not good yet)"
        );
        remote.serial = Some(7);
        remote.signers = "lead@example.org".into();
        remote.current_until = Some("2026-11-23T16:00:00Z".parse().unwrap());
        remote.sources = vec![source("", Some(now))];
        assert_eq!(
            shown(&remote),
            "The signed policy 7 by lead@example.org is current until 16:00.\n  \
             https://fleet.example.org/web: good, 14:03"
        );
        remote.stale = true;
        assert!(shown(&remote).contains("is out of date since 16:00"), "{}", shown(&remote));
    }
}
