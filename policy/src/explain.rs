//! Why the gate would let somebody in or not, with the lines of the policy that say so. Knows
//! only what it is told; the daemon's own answer at the gate rests on the same [`ground`].

use stint_proto::{GrantId, RoleName, ServiceName, Timestamp, Uid, Verdict};

use crate::needs;
use crate::order::list;
use crate::request::{OwnedFacts, outlook};
use crate::{GateMode, Policy, Principal, Role, Subject, text};

/// A grant of the subject's, as far as the gate cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: GrantId,
    /// What is held.
    pub role: RoleName,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when; at this point it is over.
    pub expires_at: Timestamp,
}

impl Held {
    /// Whether it is held at this point.
    #[must_use]
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.expires_at
    }
}

/// On what ground the gate decides.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ground<'a> {
    /// Root passes always.
    Root,
    /// The policy exempts the subject.
    Exempt(&'a Principal),
    /// A grant opens the service.
    Grant(&'a Held, &'a Role),
    /// Nothing opens it, and the gate denies nothing.
    Observed,
    /// Nothing opens it.
    Nothing,
}

impl Ground<'_> {
    /// What the gate says on this ground.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Root | Self::Exempt(_) | Self::Grant(..) | Self::Observed => Verdict::Allow,
            Self::Nothing => Verdict::Deny,
        }
    }
}

/// The gate's decision about a service here, from the policy and the subject's grants. Of several
/// grants that open it, the one that lasts longest.
pub fn ground<'a>(
    policy: &'a Policy,
    host: &str,
    subject: Subject<'_>,
    service: &ServiceName,
    held: &'a [Held],
    at: Timestamp,
) -> Ground<'a> {
    if subject.uid == Uid::ROOT {
        return Ground::Root;
    }
    if let Some(entry) = policy.exempt_by(subject) {
        return Ground::Exempt(entry);
    }
    let opening = held.iter().filter(|grant| grant.is_active(at)).filter_map(|grant| {
        let role = policy.roles.get(&grant.role)?;
        (role.on_host(host) && role.opens(service)).then_some((grant, role))
    });
    match opening.max_by_key(|(grant, _)| grant.expires_at) {
        Some((grant, role)) => Ground::Grant(grant, role),
        None if policy.gate.mode == GateMode::Observe => Ground::Observed,
        None => Ground::Nothing,
    }
}

/// What is asked about a subject.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// About which door.
    pub service: &'a ServiceName,
    /// What the subject holds, or will hold.
    pub held: &'a [Held],
    /// What is known of the subject and of others for a role, should it be asked for.
    pub facts: &'a dyn Fn(&RoleName) -> OwnedFacts,
    /// As of when: both the door and a request are tried at this point.
    pub at: Timestamp,
    /// Shows a time as the person's clock does.
    pub clock: &'a dyn Fn(Timestamp) -> String,
}

/// What the gate would say, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it would say.
    pub verdict: Verdict,
    /// Why: a sentence a line.
    pub because: Vec<String>,
}

/// Why the gate would let the subject in at this point, or not; and if not, what a request for each
/// role that would open the door needs, or what stands against one.
#[must_use]
pub fn explain(
    policy: &Policy,
    host: &str,
    subject: Subject<'_>,
    question: &Question<'_>,
) -> Explained {
    let Question { service, held, at, clock, .. } = *question;
    let ground = ground(policy, host, subject, service, held, at);
    let user = subject.user;
    let mut because = match &ground {
        Ground::Root => vec![format!("{user} has uid 0, and root passes the gate always.")],
        Ground::Exempt(entry) => vec![exempt_line(policy, subject, entry)],
        Ground::Grant(grant, role) => vec![format!(
            "{user} holds {} until {} ({}), and {} opens {service} ({}).",
            role.name,
            clock(grant.expires_at),
            grant.id,
            role.name,
            opening_place(role, service),
        )],
        Ground::Observed => vec![observed_line(policy)],
        Ground::Nothing => Vec::new(),
    };
    if matches!(ground, Ground::Observed | Ground::Nothing) {
        because.extend(why_nothing_opens(policy, host, subject, question));
    }
    Explained { verdict: ground.verdict(), because }
}

fn exempt_line(policy: &Policy, subject: Subject<'_>, entry: &Principal) -> String {
    let place = policy.gate.exempt_at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    let user = subject.user;
    match entry {
        Principal::User(_) => format!("gate.exempt names {user}{place}."),
        Principal::Group(_) => {
            format!("gate.exempt names {entry}{place}, and {user} stands in that group.")
        }
    }
}

fn observed_line(policy: &Policy) -> String {
    let place = policy.gate.mode_at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
    format!("gate.mode is \"observe\"{place}: nothing is denied. Otherwise it would be:")
}

/// Where a role says that it opens the service.
fn opening_place(role: &Role, service: &ServiceName) -> String {
    let by_sudo = stint_proto::SUDO_SERVICES.contains(&service.as_str()) && !role.sudo.is_empty();
    role.place(if by_sudo { "sudo" } else { "services" }).to_string()
}

fn why_nothing_opens(
    policy: &Policy,
    host: &str,
    subject: Subject<'_>,
    question: &Question<'_>,
) -> Vec<String> {
    let Question { service, held, .. } = *question;
    let (user, shown_host) = (subject.user, text::harmless(host));
    let mut lines = Vec::new();
    for grant in held {
        lines.push(why_grant_does_not_open(policy, host, grant, question));
    }
    if held.is_empty() {
        lines.push(format!("{user} holds no grant on {shown_host}."));
    }
    let ways = policy.ways_in(service, host, subject);
    if ways.eligible.is_empty() && ways.others.is_empty() {
        lines.push(format!("No role of {shown_host} opens {service}."));
    }
    for role in ways.eligible {
        let by = policy.eligible_by(role, subject).map(ToString::to_string).unwrap_or_default();
        let place = role.place("eligible");
        lines.push(format!("{} would open it; {user} is eligible by {by} ({place}).", role.name));
        lines.push(what_a_request_needs(policy, host, subject, role, question));
    }
    for role in ways.others {
        let place = role.place("eligible");
        let who = if role.eligible.is_empty() {
            "nobody is eligible".to_owned()
        } else {
            format!("{user} is not eligible, only {}", list(&role.eligible))
        };
        lines.push(format!("{} would open it; {who} ({place}).", role.name));
    }
    lines
}

/// What a request for the role, made at that point, would need, or what stands against it.
fn what_a_request_needs(
    policy: &Policy,
    host: &str,
    subject: Subject<'_>,
    role: &Role,
    question: &Question<'_>,
) -> String {
    let Question { facts, at, clock, .. } = *question;
    let facts = facts(&role.name);
    match outlook(policy, host, subject, &role.name, &facts.facts(), at, clock) {
        Ok(role) => needs::sentence(role),
        Err(refusal) => format!("A request for {} would be refused: {refusal}.", role.name),
    }
}

fn why_grant_does_not_open(
    policy: &Policy,
    host: &str,
    grant: &Held,
    question: &Question<'_>,
) -> String {
    let Question { service, at, clock, .. } = *question;
    let (id, name) = (&grant.id, &grant.role);
    if at < grant.starts_at {
        return format!("The grant {id} of {name} begins at {}.", clock(grant.starts_at));
    }
    if at >= grant.expires_at {
        return format!("The grant {id} of {name} was over at {}.", clock(grant.expires_at));
    }
    match policy.roles.get(name) {
        None => format!("The grant {id} is of {name}, and the policy has no such role."),
        Some(role) if !role.on_host(host) => {
            let (host, place) = (text::harmless(host), role.place("hosts"));
            format!("The grant {id} is of {name}, which does not exist on {host} ({place}).")
        }
        Some(role) => {
            let opened: Vec<_> = role.services.iter().collect();
            let opened = if opened.is_empty() { "no service".to_owned() } else { list(&opened) };
            format!("The grant {id} of {name} opens {opened}, not {service} ({}).", role.at)
        }
    }
}
