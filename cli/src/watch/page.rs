//! What fills the screen instead of the board: a request, a grant, the keys, an outcome. Lines of
//! text that fit the width; the reducer counts the same lines that are drawn.

use stint_proto::{Grant, Request, RequestState};

use super::fit::fold;
use super::model::{Ask, Mode, Model, Of};
use crate::failure::Failure;
use crate::look::grants::{Here, given_by, left, opened};
use crate::look::requests::facts;

/// The lines of the screen that are not the page's own: its title, a blank, a note and the keys.
const FRAME: u16 = 4;
/// Where values begin.
const LABELS: usize = 13;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub title: String,
    /// What it says, whole.
    pub lines: Vec<String>,
    /// What has to be known beside it; may be empty.
    pub note: String,
    /// What can be typed.
    pub keys: String,
}

/// The page that fills the screen, if one does.
pub fn page(model: &Model) -> Option<Page> {
    let room = usize::from(model.size.0).saturating_sub(2);
    let scroll = "j/k scroll  Esc back  q quit";
    let (title, lines, note, keys) = match &model.mode {
        Mode::Board => return None,
        Mode::Help => ("Keys".to_owned(), help(room), String::new(), scroll.to_owned()),
        Mode::Grant(grant) => {
            let title = format!("Grant {}", grant.named(&grant.id));
            (title, of_grant(grant, &model.here, room), String::new(), scroll.to_owned())
        }
        Mode::Request(request, ask) => {
            let name = request.named(&request.id);
            let title = match ask {
                Ask::Nothing => format!("Request {name}"),
                Ask::Approve => format!("Approve request {name}?"),
                Ask::Deny(_) => format!("Deny request {name}?"),
            };
            let lines = of_request(request, &model.here, room);
            let whole = at_end(model, lines.len());
            (title, lines, note(model, request), question(ask, whole, room))
        }
        Mode::Said(said) => {
            let lines = said.iter().flat_map(|line| fold(line, room)).collect();
            (String::new(), lines, String::new(), "Enter back  q quit".to_owned())
        }
    };
    Some(Page { title, lines, note, keys })
}

/// How many lines of a page the screen shows.
pub fn room(model: &Model) -> usize {
    usize::from(model.size.1.saturating_sub(FRAME))
}

/// Whether the last of so many lines is on the screen.
pub fn at_end(model: &Model, lines: usize) -> bool {
    room(model) > 0 && model.top + room(model) >= lines
}

fn question(ask: &Ask, whole: bool, room: usize) -> String {
    match ask {
        Ask::Nothing => "a approve  d deny  j/k scroll  Esc back  q quit".to_owned(),
        Ask::Approve if whole => "y approve exactly this  Esc back".to_owned(),
        Ask::Approve => {
            "There is more below: space shows it, then y approves.  Esc back".to_owned()
        }
        Ask::Deny(reason) => {
            let ask = "Why (Enter denies, Esc back): ";
            let lines = fold(&format!("{reason}_"), room.saturating_sub(ask.len()).max(1));
            format!("{ask}{}", lines.last().map(String::as_str).unwrap_or_default())
        }
    }
}

/// Whether the request still stands as it is shown.
fn note(model: &Model, shown: &Of<Request>) -> String {
    let same = |row: &&Of<Request>| row.host == shown.host && row.id == shown.id;
    let now = model.requests().into_iter().find(same);
    match (now, &model.away) {
        (_, Some(_)) => return format!("{} does not answer at the moment.", model.scope.source()),
        (None, None) => "It is no longer pending.",
        (Some(now), None) if now.digest != shown.digest => {
            "It has changed since it was opened: go back and open it again."
        }
        (Some(_), None) => "",
    }
    .to_owned()
}

/// One fact; what does not fit goes on below, further in, so that it cannot pass for another fact.
fn fact(label: &str, value: &str, room: usize, lines: &mut Vec<String>) {
    let inner = room.saturating_sub(LABELS + 2).max(1);
    for (at, line) in fold(value, inner).iter().enumerate() {
        let (label, indent) = if at == 0 { (label, "") } else { ("", "  ") };
        lines.push(format!("{label:<LABELS$}{indent}{line}"));
    }
}

fn of_request(request: &Of<Request>, here: &Here, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(host) = &request.host {
        fact("host", host, room, &mut lines);
    }
    for (label, value) in facts(request, here) {
        fact(label, &value, room, &mut lines);
    }
    lines
}

fn of_grant(grant: &Of<Grant>, here: &Here, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |label: &str, value: &str| fact(label, value, room, &mut lines);
    if let Some(host) = &grant.host {
        say("host", host);
    }
    say("who", &format!("{} (uid {})", grant.user, grant.uid));
    say("role", grant.role.as_str());
    say("opens", &opened(grant));
    say("from", &here.clock(grant.starts_at));
    say("ends", &here.clock(grant.expires_at));
    say("left", &left(grant, here));
    say("reason", if grant.reason.is_empty() { "(none)" } else { &grant.reason });
    say("ticket", grant.ticket.as_deref().unwrap_or("(none)"));
    say("approved by", &given_by(grant));
    say("origin", grant.origin.as_str());
    say("request", grant.request.as_ref().map_or("(none)", |id| id.as_str()));
    lines
}

/// What can be typed, and what comes of it.
const KEYS: [(&str, &str); 8] = [
    ("j k", "or the arrows: move; scroll a page that is longer than the screen"),
    ("Tab", "change between requests and grants"),
    ("Enter", "show the request or the grant"),
    ("a", "show the request and ask whether to approve it; y approves"),
    ("d", "show the request and ask why to deny it; Enter denies"),
    ("Esc", "back"),
    ("?", "these lines"),
    ("q Ctrl-C", "quit"),
];

fn help(room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    KEYS.iter().for_each(|(key, what)| fact(key, what, room, &mut lines));
    lines
}

/// The same for the command's help: what the board shows, its keys, and what approving there does.
pub fn manual() -> String {
    let keys = KEYS.iter().map(|(key, what)| format!("  {key:<9} {what}\n"));
    let keys: String = keys.collect();
    format!(
        "Above are the requests that you may decide on, below the grants that run: your own. Root and \
         readers of the record see all of both. The board follows what happens by itself; its times \
         are by the local clock.\n\n\
         Keys:\n{keys}\n\
         y approves exactly the request that is on the screen, once it has been shown to its last \
         line, as stint approve does: if it has changed since, nothing is approved. For the \
         password, where the policy wants it, the board makes room and comes back. A note cannot be \
         given here (stint approve --note), and a break-glass role is reviewed by stint review.\n\n\
         With --fleet it shows the requests and grants of all hosts that publish them, as the store of the \
         fleet tells of them. y and Enter sign then what is on the screen with your SSH key, which may ask \
         for its passphrase or a touch, and the board says what that host makes of it.\n\n\
         It needs a terminal; where there is none: stint pending, stint list."
    )
}

/// What came of a decision.
pub fn outcome(answer: &Result<Of<Request>, Failure>) -> Vec<String> {
    let request = match answer {
        Ok(request) => request,
        Err(failure) => return failure.message.lines().map(str::to_owned).collect(),
    };
    let (id, user, role) = (request.named(&request.id), &request.user, &request.role);
    let line = match request.state {
        RequestState::Approved => match &request.grant {
            Some(grant) => format!("{id} is approved: {user} is granted {role} ({grant})."),
            None => format!("{id} is approved: {user} is granted {role}."),
        },
        RequestState::Pending => {
            let (given, needed) = (request.approvals.len(), request.approvals_needed);
            format!("Your approval of {id} is recorded: {given} of {needed} for {user}, {role}.")
        }
        RequestState::Denied => format!("{id} is denied: {user} does not get {role}."),
        RequestState::Cancelled | RequestState::Lapsed => format!("{id} is {}.", request.state),
    };
    vec![line]
}
