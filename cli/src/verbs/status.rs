//! `stint status`, and `stint` alone.

use stint_policy::text::harmless;
use stint_proto::{ExitStatus, Status};

use crate::args::Json;
use crate::failure::Outcome;
use crate::look::grants::{Here, held, lines};
use crate::look::requests::{asked, to_decide};
use crate::look::{BAD, HEAD, ODD, styled};
use crate::{bus, json, out};

/// Shows how things stand for whoever asks.
pub fn run(args: Json) -> Outcome {
    let status: Status = bus::call("Status", &())?;
    if args.json {
        out::json(&json::status(&status));
    } else {
        out::print(&text(&status, &Here::system()));
    }
    Ok(ExitStatus::Done)
}

fn text(status: &Status, here: &Here) -> String {
    let host = harmless(&status.host);
    let mut text = Vec::new();
    if status.grants.is_empty() {
        text.push(format!("You hold nothing on {host}."));
    } else {
        text.push(styled(HEAD, &format!("You hold on {host}")));
        text.push(held(&status.grants, here));
    }
    if !status.requests.is_empty() {
        text.push(styled(HEAD, "You asked for"));
        text.push(asked(&status.requests, here));
    }
    if !status.eligible.is_empty() {
        let roles: Vec<_> = status.eligible.iter().map(ToString::to_string).collect();
        let roles = roles.join(", ");
        text.push(format!("{}  {roles}       stint roles", styled(HEAD, "You may ask for")));
    }
    if status.to_decide > 0 {
        text.push(to_decide(status.to_decide));
    }
    if status.gate_mode == "observe" {
        text.push(styled(ODD, "The gate only observes: nobody is denied."));
    }
    if let Some(problem) = &status.policy_problem {
        text.push(styled(BAD, "The policy on disk was refused; the one before is in force:"));
        text.push(lines(problem));
    }
    if let Some(remote) = &status.remote {
        text.extend(crate::look::remote::remote(remote, here));
    }
    if !status.alarms.is_empty() {
        text.push(styled(BAD, "Not done yet, and tried again:"));
        for alarm in &status.alarms {
            let (what, since) = (harmless(&alarm.text), here.clock(alarm.since));
            text.push(format!("  {what} (since {since}, {} tries)", alarm.tries));
        }
    }
    if !status.notes.is_empty() {
        text.push(styled(ODD, "Changed by hand, which stands:"));
        for note in &status.notes {
            text.push(format!("  {}   {}", harmless(&note.text), harmless(&note.mend)));
        }
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::grants::tests::example;

    fn shown(status: &Status) -> String {
        let here =
            Here { now: "2026-11-23T14:03:40Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        anstream::adapter::strip_str(&text(status, &here)).to_string()
    }

    #[test]
    fn says_what_is_held_and_what_may_be() {
        let mut status = Status {
            host: "web-1".into(),
            user: Some("alice".parse().unwrap()),
            grants: Vec::new(),
            requests: Vec::new(),
            to_decide: 0,
            eligible: vec!["admin".parse().unwrap(), "containers".parse().unwrap()],
            gate_mode: "enforce".into(),
            alarms: Vec::new(),
            notes: Vec::new(),
            policy_problem: None,
            remote: None,
        };
        assert_eq!(
            shown(&status),
            "You hold nothing on web-1.\nYou may ask for  admin, containers       stint roles"
        );
        status.grants = vec![example()];
        status.eligible.clear();
        status.requests = vec![crate::look::requests::tests::example()];
        status.to_decide = 2;
        status.policy_problem = Some("/etc/stint/policy.toml:1:1: x".into());
        assert_eq!(
            shown(&status),
            "You hold on web-1\n  \
               ROLE   OPENS  LEFT    ENDS   APPROVED BY  GRANT\n  \
               admin  sudo   28 min  14:32  root         g4t9\n\
             You asked for\n  \
               db-restore  1 of 2 approvals, erin or %leads to go, 4 min ago  7kq2\n\
             2 requests await your word   stint pending\n\
             The policy on disk was refused; the one before is in force:\n\
             /etc/stint/policy.toml:1:1: x"
        );
    }
}
