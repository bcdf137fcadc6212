//! What would come of a request, for somebody who need not exist on a host that need not be this
//! one: `stint policy simulate`.

use std::collections::BTreeSet;

use stint_proto::{GroupName, RoleName, Timestamp, UserName};

use crate::order::list;
use crate::{Policy, Position, Role, text};

/// What would come of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// Whether the user may ask for the role there and then.
    pub may_request: bool,
    /// What speaks for it and against it, and on what terms.
    pub reasons: Vec<Finding>,
}

/// One thing that speaks for a request or against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it speaks for it, or is a term that can be met.
    pub ok: bool,
    /// What it is, in a sentence.
    pub text: String,
    /// Where the policy says so.
    pub at: Option<Position>,
}

impl Finding {
    fn new(ok: bool, text: String, at: &Position) -> Self {
        Self { ok, text, at: Some(at.clone()) }
    }
}

/// What would come of a request of the user's for the role, on that host, at that point. `groups`
/// are the user's standing ones.
#[must_use]
pub fn simulate(
    policy: &Policy,
    host: &str,
    user: &UserName,
    groups: &BTreeSet<GroupName>,
    role: &RoleName,
    at: Timestamp,
) -> Simulation {
    let Some(role) = policy.roles.get(role) else {
        let known: Vec<_> = policy.roles.keys().collect();
        let known = if known.is_empty() { "none".to_owned() } else { list(&known) };
        let text = format!("There is no role {role}; the policy's roles: {known}.");
        return Simulation {
            may_request: false,
            reasons: vec![Finding { ok: false, text, at: None }],
        };
    };
    let mut reasons = vec![eligibility(role, user, groups), on_host(role, host)];
    reasons.extend(hours(role, at));
    let may_request = reasons.iter().all(|finding| finding.ok);
    reasons.push(approvals(role));
    reasons.extend(words(role));
    reasons.extend(limits(role));
    Simulation { may_request, reasons }
}

fn eligibility(role: &Role, user: &UserName, groups: &BTreeSet<GroupName>) -> Finding {
    let place = role.place("eligible");
    match role.eligible.iter().find(|entry| entry.matches(user, groups)) {
        Some(entry) => Finding::new(true, format!("{user} is eligible by {entry}."), place),
        None if role.eligible.is_empty() => {
            Finding::new(false, "Nobody is eligible.".to_owned(), place)
        }
        None => {
            let only = list(&role.eligible);
            Finding::new(false, format!("{user} is not eligible, only {only}."), place)
        }
    }
}

fn on_host(role: &Role, host: &str) -> Finding {
    let (place, shown) = (role.place("hosts"), text::harmless(host));
    if role.hosts.is_empty() {
        return Finding::new(true, "The role exists on every host.".to_owned(), place);
    }
    let hosts = list(&role.hosts);
    if role.on_host(host) {
        return Finding::new(true, format!("The role exists on {shown} ({hosts})."), place);
    }
    Finding::new(false, format!("The role does not exist on {shown}, only on {hosts}."), place)
}

fn hours(role: &Role, at: Timestamp) -> Option<Finding> {
    let hours = role.hours.as_ref()?;
    let ok = hours.contain(at);
    let where_ = if ok { "within" } else { "outside" };
    let text = format!("{at} is {where_} its hours, {}.", text::harmless(&hours.to_string()));
    Some(Finding::new(ok, text, role.place("hours")))
}

fn approvals(role: &Role) -> Finding {
    if role.break_glass {
        let text = "It is for emergencies: no approval is needed, and it is loud.".to_owned();
        return Finding::new(true, text, role.place("break_glass"));
    }
    let from = match role.approvers.as_slice() {
        [] => "and the policy names nobody who may give it".to_owned(),
        some => format!("from {}", list(some)),
    };
    let text = match role.approvals {
        0 => "No approval is needed.".to_owned(),
        1 => format!("One approval is needed, {from}."),
        count => format!("{count} approvals are needed, {from}."),
    };
    Finding::new(true, text, role.place("approvals"))
}

fn words(role: &Role) -> Vec<Finding> {
    let least = role.reason.min_length;
    let reason = match (role.reason.required, least) {
        (true, 0 | 1) => "A reason is asked for.".to_owned(),
        (true, _) => format!("A reason of at least {least} characters is asked for."),
        (false, _) => "No reason is asked for.".to_owned(),
    };
    let mut found = vec![Finding::new(true, reason, role.place("reason"))];
    if let Some(ticket) = &role.ticket {
        let shape = text::harmless(&ticket.to_string());
        let text = format!("A ticket is asked for that looks like {shape}.");
        found.push(Finding::new(true, text, role.place("ticket")));
    }
    found
}

fn limits(role: &Role) -> Vec<Finding> {
    let (max, usual) = (role.max_duration, role.default_duration);
    let text = format!("It is given for {usual}, or for up to {max} if asked for.");
    let mut found = vec![Finding::new(true, text, role.place("max_duration"))];
    let mut more = |key: &str, text: Option<String>| {
        found.extend(text.map(|text| Finding::new(true, text, role.place(key))));
    };
    more("cooldown", role.cooldown.map(|rest| format!("{rest} must pass after the last one.")));
    more("daily_budget", role.daily_budget.map(|most| format!("A day has at most {most} of it.")));
    more("max_active", role.max_active.map(|most| format!("At most {most} may hold it at once.")));
    found
}
