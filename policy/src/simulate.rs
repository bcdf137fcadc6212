//! What would come of a request, for somebody who need not exist on a host that need not be this
//! one: `stint policy simulate`.

use std::collections::BTreeSet;

use stint_proto::{GroupName, RoleName, Timestamp, Uid, UserName};

use crate::needs::needs;
use crate::order::{find_role, list};
use crate::request::{Case, Facts, RequestRefusal, check_eligible};
use crate::{Policy, Position, Role, Subject, text};

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
    fn new(text: String, at: &Position) -> Self {
        Self { ok: true, text, at: Some(at.clone()) }
    }

    fn against(refusal: &RequestRefusal) -> Self {
        Self { ok: false, text: format!("{}.", refusal.what()), at: refusal.at().cloned() }
    }
}

/// Nobody's number: what is simulated knows of no other holder.
const NOBODY: Uid = Uid(u32::MAX);

/// What would come of a request of the user's for the role, on that host, at that point, if nobody
/// held or had asked for anything. `groups` are the user's standing ones.
#[must_use]
pub fn simulate(
    policy: &Policy,
    host: &str,
    user: &UserName,
    groups: &BTreeSet<GroupName>,
    role: &RoleName,
    at: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Simulation {
    let subject = Subject { user, uid: NOBODY, groups };
    let found = find_role(policy, host, role).map_err(RequestRefusal::from);
    let Some(role) = policy.roles.get(role) else {
        let reasons = found.err().as_ref().map(Finding::against).into_iter().collect();
        return Simulation { may_request: false, reasons };
    };
    let case = Case { policy, subject, role, facts: &Facts::default(), clock };
    let mut against: Vec<RequestRefusal> = found.err().into_iter().collect();
    against.extend(check_eligible(policy, role, subject).err());
    against.extend(case.objections(at, role.default_duration));
    let may_request = against.is_empty();
    let mut reasons: Vec<Finding> = against.iter().map(Finding::against).collect();
    reasons.extend(what_speaks_for_it(policy, role, host, subject, at, clock));
    reasons.extend(terms(role));
    reasons.extend(limits(role));
    Simulation { may_request, reasons }
}

fn what_speaks_for_it(
    policy: &Policy,
    role: &Role,
    host: &str,
    subject: Subject<'_>,
    at: Timestamp,
    clock: &dyn Fn(Timestamp) -> String,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(entry) = policy.eligible_by(role, subject) {
        let text = format!("{} is eligible by {entry}.", subject.user);
        found.push(Finding::new(text, role.place("eligible")));
    }
    if role.on_host(host) {
        let text = match role.hosts.as_slice() {
            [] => "The role exists on every host.".to_owned(),
            hosts => format!("The role exists on {} ({}).", text::harmless(host), list(hosts)),
        };
        found.push(Finding::new(text, role.place("hosts")));
    }
    if let Some(hours) = role.hours.as_ref().filter(|hours| hours.contain(at)) {
        let text =
            format!("{} is within its hours, {}.", clock(at), text::harmless(&hours.to_string()));
        found.push(Finding::new(text, role.place("hours")));
    }
    found
}

fn terms(role: &Role) -> Vec<Finding> {
    let mut found = Vec::new();
    if role.break_glass {
        let text = "It is for emergencies: no approval is needed, and it is loud.".to_owned();
        found.push(Finding::new(text, role.place("break_glass")));
    } else if role.approvals == 0 {
        found.push(Finding::new("It needs no approval.".to_owned(), role.place("approvals")));
    }
    let needs = needs(role).into_iter();
    found.extend(needs.map(|need| Finding::new(format!("It needs {}.", need.text), need.at)));
    found
}

fn limits(role: &Role) -> Vec<Finding> {
    let (max, usual) = (role.max_duration, role.default_duration);
    let text = format!("It is given for {usual}, or for up to {max} if asked for.");
    let mut found = vec![Finding::new(text, role.place("max_duration"))];
    let mut more = |key: &str, text: Option<String>| {
        found.extend(text.map(|text| Finding::new(text, role.place(key))));
    };
    more("cooldown", role.cooldown.map(|rest| format!("{rest} must pass after the last one.")));
    more("daily_budget", role.daily_budget.map(|most| format!("A day has at most {most} of it.")));
    more("max_active", role.max_active.map(|most| format!("At most {most} may hold it at once.")));
    found
}
