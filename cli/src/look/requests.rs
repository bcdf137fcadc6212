//! Requests in tables and sentences, and what an approver says yes to.

use stint_policy::text::harmless;
use stint_proto::{Grant, GrantState, Request, RequestState};

use super::count;
use super::grants::Here;
use super::table::{self, plain, table};
use super::times::length;

/// Who may still approve it, as the policy writes them: not who has, and not the requester.
fn to_go(request: &Request) -> Vec<String> {
    let done = |name: &str| {
        request.user.as_str() == name || request.approvals.iter().any(|by| by.as_str() == name)
    };
    request.approvers.iter().filter(|name| !done(name)).map(|name| harmless(name)).collect()
}

/// `bob`, `bob or carol`, `bob, carol or %leads`.
fn any_of(names: &[String]) -> Option<String> {
    match names.split_last()? {
        (only, []) => Some(only.clone()),
        (last, rest) => Some(format!("{} or {last}", rest.join(", "))),
    }
}

fn given(request: &Request) -> usize {
    request.approvals.len()
}

fn needed(request: &Request) -> usize {
    usize::try_from(request.approvals_needed).unwrap_or(usize::MAX)
}

/// `1 approval`, `one more approval`: what is missing, and from whom.
fn missing(request: &Request) -> String {
    let more = if request.approvals.is_empty() { "" } else { "more " };
    let missing = match needed(request).saturating_sub(given(request)) {
        1 => format!("one {more}approval"),
        many => format!("{many} {more}approvals"),
    };
    match any_of(&to_go(request)) {
        Some(names) => format!("{missing}, from {names}"),
        None => missing,
    }
}

/// `7kq2 awaits one approval, from bob or %leads`.
pub fn awaits(request: &Request) -> String {
    let so_far = if request.approvals.is_empty() {
        String::new()
    } else {
        format!("; approved by {}", names_of(request))
    };
    format!("{} awaits {}{so_far}", request.id, missing(request))
}

fn names_of(request: &Request) -> String {
    request.approvals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What was asked for: `admin`, or `15m more of admin (g4t9)`.
fn what(request: &Request) -> String {
    match &request.extends {
        Some(grant) => format!("{} more of {} ({grant})", request.duration, request.role),
        None => request.role.to_string(),
    }
}

/// A request of one's own that was made and is pending: who can approve it, and how to wait.
pub fn made(request: &Request) -> String {
    let id = &request.id;
    format!(
        "Your request {id} for {} awaits {}.\nWait for it:  stint wait {id}",
        what(request),
        missing(request)
    )
}

/// A request that is still pending when somebody no longer waits.
pub fn stands(request: &Request, here: &Here) -> String {
    let id = &request.id;
    format!(
        "{}. It stands until {}.\nWait on:  stint wait {id}    take it back:  stint cancel {id}",
        awaits(request),
        here.clock(request.lapses_at)
    )
}

/// How a request ended, in a line; the grant that came of it where it is known.
pub fn over(request: &Request, grant: Option<&Grant>, here: &Here) -> String {
    let (id, role) = (&request.id, &request.role);
    let by = request.ended_by.as_deref().map(harmless);
    let why = request.note.as_deref().map(|why| format!(": {}", harmless(why))).unwrap_or_default();
    match (request.state, grant) {
        (RequestState::Pending, _) => awaits(request),
        (RequestState::Approved, Some(grant)) => yours(grant, here),
        (RequestState::Approved, None) => {
            let grant = request.grant.as_ref().or(request.extends.as_ref());
            let grant = grant.map(|grant| format!(" ({grant})")).unwrap_or_default();
            format!("{id} was granted: {role} for {}{grant}.", request.user)
        }
        (RequestState::Denied, _) => {
            format!("{} denied {id}, the request for {role}{why}", by.unwrap_or("somebody".into()))
        }
        (RequestState::Cancelled, _) => {
            let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
            format!("{id}, the request for {role}, was taken back{by}")
        }
        (RequestState::Lapsed, _) => format!("{id}, the request for {role}, has lapsed{why}"),
    }
}

/// `admin is yours until 14:32 (g4t9).`
pub fn yours(grant: &Grant, here: &Here) -> String {
    let (role, id, until) = (&grant.role, &grant.id, here.clock(grant.expires_at));
    if grant.state == GrantState::Scheduled {
        let from = here.clock(grant.starts_at);
        return format!("{role} is yours from {from} until {until} ({id}).");
    }
    let sentence = format!("{role} is yours until {until} ({id}).");
    if grant.groups.is_empty() {
        return sentence;
    }
    format!(
        "{sentence} Shells that are open keep their old groups: log in again, or  \
         stint run {role} -- COMMAND"
    )
}

/// One's own pending requests, a line each.
pub fn asked(requests: &[Request], here: &Here) -> String {
    let rows: Vec<_> = requests
        .iter()
        .map(|request| {
            let ago = length(here.now.micros_since(request.created_at));
            let of = format!(
                "{} of {}",
                given(request),
                count(needed(request), "approval", "approvals")
            );
            let to_go = any_of(&to_go(request));
            let to_go = to_go.map(|names| format!(", {names} to go")).unwrap_or_default();
            let standing = format!("{of}{to_go}, {ago} ago");
            vec![what(request), standing, request.id.to_string()]
        })
        .collect();
    plain(&rows)
}

/// `2 requests await your word   stint pending`.
pub fn to_decide(number: u32) -> String {
    let verb = if number == 1 { "awaits" } else { "await" };
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    format!("{} {verb} your word   stint pending", count(number, "request", "requests"))
}

/// What heads the columns of [`row`].
pub const HEADINGS: [&str; 9] =
    ["ID", "USER", "ROLE", "FOR", "FROM", "ASKED", "LAPSES", "APPROVALS", "REASON"];

/// Pending requests of many.
pub fn pending(requests: &[Request], here: &Here) -> String {
    let rows: Vec<_> = requests.iter().map(|request| row(request, here)).collect();
    table(&HEADINGS, &rows)
}

/// One of them.
pub fn row(request: &Request, here: &Here) -> Vec<String> {
    let from = request.starts_at.map_or_else(|| "at once".to_owned(), |at| here.clock(at));
    let more = if request.extends.is_some() { " more" } else { "" };
    vec![
        request.id.to_string(),
        request.user.to_string(),
        request.role.to_string(),
        format!("{}{more}", request.duration),
        from,
        here.clock(request.created_at),
        here.clock(request.lapses_at),
        format!("{} of {}", given(request), needed(request)),
        request.reason.clone(),
    ]
}

/// Everything that an approver says yes to, and how far it is: a name and a value a fact, as they
/// were typed. One list for `approve` and for the board.
pub fn facts(request: &Request, here: &Here) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("who", format!("{} (uid {})", request.user, request.uid)),
        ("role", request.role.to_string()),
    ];
    if request.confers.is_empty() {
        facts.push(("confers", "nothing".to_owned()));
    }
    let names = std::iter::once("confers").chain(std::iter::repeat(""));
    facts.extend(names.zip(request.confers.iter().cloned()));
    if let Some(grant) = &request.extends {
        facts.push(("extends", format!("{grant}, whose end moves by {}", request.duration)));
    } else {
        let at_once = || "when it is granted".to_owned();
        facts.push(("for", request.duration.to_string()));
        facts.push(("from", request.starts_at.map_or_else(at_once, |at| here.clock(at))));
    }
    let reason = if request.reason.is_empty() { "none given" } else { &request.reason };
    facts.push(("reason", reason.to_owned()));
    facts.extend(request.ticket.clone().map(|ticket| ("ticket", ticket)));
    let (asked, lapses) = (here.clock(request.created_at), here.clock(request.lapses_at));
    facts.push(("asked", format!("{asked}; lapses {lapses}")));
    let by = if request.approvals.is_empty() {
        String::new()
    } else {
        format!(": {}", names_of(request))
    };
    facts.push(("approvals", format!("{} of {}{by}", given(request), needed(request))));
    facts.push(("approvers", request.approvers.join(", ")));
    facts
}

/// The same, line by line.
pub fn in_full(request: &Request, here: &Here) -> String {
    table::facts(&headline(request), &facts(request, here))
}

/// `7kq2: alice asks for admin`.
pub fn headline(request: &Request) -> String {
    format!("{}: {} asks for {}", request.id, request.user, what(request))
}

/// What an approval or a denial came to, for whoever gave it.
pub fn decided(request: &Request) -> String {
    let (id, role, user) = (&request.id, &request.role, &request.user);
    match request.state {
        RequestState::Pending => format!("Your approval counts. {}.", awaits(request)),
        RequestState::Approved => {
            let grant = request.grant.as_ref().or(request.extends.as_ref());
            let grant = grant.map(|grant| format!(" ({grant})")).unwrap_or_default();
            match request.extends {
                Some(_) => format!("{user} has {} more of {role}{grant}.", request.duration),
                None => format!("{user} has {role} for {}{grant}.", request.duration),
            }
        }
        RequestState::Denied => format!("You denied {id}: {user} does not get {}.", what(request)),
        RequestState::Cancelled | RequestState::Lapsed => {
            format!("{id} is over: {}.", request.state)
        }
    }
}

#[cfg(test)]
pub mod tests;
