//! `stint approve HOST/ID` and `stint deny HOST/ID`: shows exactly what is decided on, signs that and
//! nothing else, publishes it, and says what the host made of it.

use std::path::Path;

use serde_json::json;
use stint_document::Verdict;
use stint_policy::text::harmless;
use stint_proto::{ExitStatus, Request, RequestId};

use crate::args::{ApproveArgs, DenyArgs, Json};
use crate::failure::{Failure, Outcome};
use crate::fleet::approve::{Came, Open, find, give, signed};
use crate::fleet::store::Store;
use crate::fleet::{self, Fleet};
use crate::look::fleet::in_full;
use crate::look::grants::Here;
use crate::look::requests::decided;
use crate::{out, prompt};

/// Says yes to a request of another host.
pub fn approve(args: ApproveArgs, host: &str, id: &RequestId) -> Outcome {
    let note = args.note.map(|note| crate::verbs::text("note", note)).transpose()?;
    if !args.yes && !prompt::possible() {
        let text =
            "there is no terminal to ask on: look with  stint pending --fleet  and add  --yes";
        return Err(Failure::usage(text));
    }
    let (store, key) = fleet::open(args.sign.as_deref())?;
    let (mut fleet, host) = Fleet::of_host(store, host)?;
    let request = find(&fleet.hosts, &host, id.as_str())?;
    let shown = in_full(&host, &request, &Here::system());
    // With --json standard output is the document's.
    if args.json.json {
        out::warn(&shown)
    } else {
        out::print(&shown)
    }
    if !args.yes && !prompt::yes("Approve it?")? {
        return Err(Failure::failed(format!("{host}/{} was not approved", request.id)));
    }
    word(&mut fleet, (&host, &request), (Verdict::Approve, note), &key, args.json)
}

/// Says no to a request of another host.
pub fn deny(args: DenyArgs, host: &str, id: &RequestId) -> Outcome {
    let reason = crate::verbs::reason(args.reason)?;
    let (store, key) = fleet::open(args.sign.as_deref())?;
    let (mut fleet, host) = Fleet::of_host(store, host)?;
    let request = find(&fleet.hosts, &host, id.as_str())?;
    if !args.json.json {
        out::print(&in_full(&host, &request, &Here::system()));
    }
    word(&mut fleet, (&host, &request), (Verdict::Deny, Some(reason)), &key, args.json)
}

fn word<S: Store>(
    fleet: &mut Fleet<S>,
    of: (&str, &Request),
    word: (Verdict, Option<String>),
    key: &Path,
    json: Json,
) -> Outcome {
    let came = carry(fleet, of, word, key)?;
    let (host, request) = of;
    if json.json {
        out::json(&document(host, request, &came));
        return Ok(status(&came));
    }
    match told(host, request, &came) {
        Ok(text) => out::print(&text),
        Err(failure) => return Err(failure),
    }
    Ok(status(&came))
}

/// Signs, looks once more whether it still is what was shown, publishes, and waits.
///
/// # Errors
/// When any of it fails.
pub fn carry<S: Store>(
    fleet: &mut Fleet<S>,
    (host, request): (&str, &Request),
    word: (Verdict, Option<String>),
    key: &Path,
) -> Result<Came, Failure> {
    let parcel = signed((host, request), word, (key, &fleet.hosts))?;
    fleet.watch()?;
    let now = find(&fleet.hosts, host, request.id.as_str())?;
    if now.digest != request.digest {
        let text =
            format!("{host}/{} has changed since it was shown: look at it again", request.id);
        return Err(Failure::new(ExitStatus::Refused, text));
    }
    give(fleet, (host, &now), &parcel)
}

fn status(came: &Came) -> ExitStatus {
    match came {
        Came::Counted(_) | Came::Taken(_) => ExitStatus::Done,
        Came::Refused(_) => ExitStatus::Refused,
        Came::Open(_) => ExitStatus::Pending,
    }
}

/// What came of it, in a sentence or two; a failure where the host refuses it.
///
/// # Errors
/// That.
pub fn told(host: &str, request: &Request, came: &Came) -> Result<String, Failure> {
    let until = Here::system().clock(request.lapses_at);
    let stays = format!("Your word lies in the store until {until}; {host} takes it when it");
    Ok(match came {
        Came::Counted(now) => format!("On {host}: {}", decided(now)),
        Came::Taken(message) => format!("{host} has taken it: {}", harmless(message)),
        Came::Refused(why) => {
            let text = format!("{host} refuses it: {}", harmless(why));
            return Err(Failure::new(ExitStatus::Refused, text));
        }
        Came::Open(Open::Away) => format!("{host} is away. {stays} comes back."),
        Came::Open(Open::Silent) => format!("{host} has not answered yet. {stays} can."),
        Came::Open(Open::Failed(why)) => {
            format!("{host} could not take it: {}. {stays} can.", harmless(why))
        }
    })
}

fn document(host: &str, request: &Request, came: &Came) -> serde_json::Value {
    let (outcome, message) = match came {
        Came::Counted(_) => ("taken", None),
        Came::Taken(message) => ("taken", Some(message)),
        Came::Refused(why) => ("refused", Some(why)),
        Came::Open(Open::Away) => ("away", None),
        Came::Open(Open::Silent) => ("unanswered", None),
        Came::Open(Open::Failed(why)) => ("failed", Some(why)),
    };
    let now = match came {
        Came::Counted(now) => now,
        _ => request,
    };
    json!({
        "host": host,
        "outcome": outcome,
        "message": message,
        "request": crate::json::request(now),
    })
}
