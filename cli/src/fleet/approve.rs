//! A word on a request of another host: found, held against what is shown, signed, published, and what
//! the host made of it. The store cannot give it: what is signed is the digest of what was shown,
//! which that host compares with its own.

use std::path::Path;
use std::time::Duration;

use stint_document::Verdict;
use stint_proto::{ExitStatus, Request, RequestState, Timestamp};

use super::answers::{Heard, follow, publish};
use super::hosts::{Host, Hosts, only};
use super::publish::Parcel;
use super::read::{Answer, Outcome};
use super::store::Store;
use super::{Fleet, PATIENCE};
use crate::clock;
use crate::failure::Failure;
use crate::sign;

/// For how long a word counts at the most, in microseconds: until when a request is pending is only
/// what the store says.
const LONGEST: i64 = 7 * 86_400 * 1_000_000;
/// How long is waited for what came of a word that a host has taken.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// What came of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// The host has taken it: the request as the host tells of it since.
    Counted(Box<Request>),
    /// The host has taken it, and says no more.
    Taken(String),
    /// The host refuses it.
    Refused(String),
    /// It lies in the store, for that host to take: it is away, has not answered, or could not.
    Open(Open),
}

/// Why nothing has come of it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// The host is away.
    Away,
    /// It has not answered.
    Silent,
    /// Something went wrong there, and is tried again.
    Failed(String),
}

/// The pending request of this host whose id begins like this.
///
/// # Errors
/// When there is none, when it has ended, or when it cannot be trusted.
pub fn find(hosts: &Hosts, name: &str, prefix: &str) -> Result<Request, Failure> {
    let none = Host::default();
    let host = hosts.get(name).unwrap_or(&none);
    let found = only(&host.requests, name, prefix, "pending request");
    let request = match (found, only(&host.decisions, name, prefix, "request")) {
        (Err(_), Ok(over)) => over,
        (found, _) => found?,
    };
    if request.state != RequestState::Pending {
        let over = crate::look::requests::over(request, None, &crate::look::grants::Here::system());
        return Err(Failure::new(ExitStatus::Refused, format!("{name}: {over}")));
    }
    if !is_as_claimed(request) {
        return Err(Failure::new(ExitStatus::Refused, not_to_be_trusted(name, request)));
    }
    Ok(request.clone())
}

/// Whether a request has the digest that is claimed for it.
pub fn is_as_claimed(request: &Request) -> bool {
    stint_document::digest(request) == request.digest
}

/// Why one that has not is not to be approved.
pub fn not_to_be_trusted(host: &str, request: &Request) -> String {
    format!(
        "{host}/{} is not to be trusted: what the store shows has another digest than it claims. \
         Somebody has changed it, or {host} runs another version of stint; look there:  stint pending",
        request.id
    )
}

/// A word, signed by this key, as a document for exactly this host.
///
/// # Errors
/// When it is not signed.
pub fn signed(
    (host, request): (&str, &Request),
    (verdict, note): (Verdict, Option<String>),
    (key, known): (&Path, &Hosts),
) -> Result<Parcel, Failure> {
    let now = clock::wall();
    let longest = Timestamp::from_micros(now.micros().saturating_add(LONGEST));
    let request = Request { lapses_at: request.lapses_at.min(longest), ..request.clone() };
    let document = sign::approval(&request, host, verdict, note, key)?;
    Parcel::of(document, "", known, now)
}

/// Publishes a word, and waits for what comes of it.
///
/// # Errors
/// When it is not published, or nothing can be heard any more.
pub fn give<S: Store>(
    fleet: &mut Fleet<S>,
    (host, request): (&str, &Request),
    parcel: &Parcel,
) -> Result<Came, Failure> {
    let heard = publish(fleet, parcel, &[host.to_owned()], PATIENCE)?.remove(host);
    let answer = match heard {
        Some(Heard::Answer(answer)) => answer,
        Some(Heard::Away) => return Ok(Came::Open(Open::Away)),
        Some(Heard::Nothing) | None => return Ok(Came::Open(Open::Silent)),
    };
    match answer {
        Answer { outcome: Outcome::Refused, message } => Ok(Came::Refused(message)),
        Answer { outcome: Outcome::Failed, message } => Ok(Came::Open(Open::Failed(message))),
        Answer { outcome: Outcome::Taken | Outcome::Known, message } => {
            let id = request.id.as_str();
            let known = |hosts: &Hosts| since(hosts.get(host)?, request, id).cloned();
            follow(fleet, AFTERWARDS, |hosts| known(hosts).is_some())?;
            Ok(known(&fleet.hosts).map_or(Came::Taken(message), |now| Came::Counted(Box::new(now))))
        }
    }
}

/// The request as it is since somebody's word on it.
fn since<'a>(host: &'a Host, before: &Request, id: &str) -> Option<&'a Request> {
    let moved = |now: &&Request| now.approvals != before.approvals;
    host.decisions.get(id).or_else(|| host.requests.get(id).filter(moved))
}
