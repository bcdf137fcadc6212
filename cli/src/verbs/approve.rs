//! `stint approve`: shows exactly what is approved, asks, and approves that and nothing else.

use stint_proto::{ApproveOrder, ExitStatus, Request, RequestId, RequestState};

use crate::agent;
use crate::args::{ApproveArgs, Named};
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::requests::{in_full, over};
use crate::waiting::look;
use crate::{out, prompt};

/// Says yes to a request.
pub fn run(args: ApproveArgs) -> Outcome {
    let id = match args.id.clone() {
        Named::Here(id) => id,
        Named::There(host, id) => return super::fleet::decide::approve(args, &host, &id),
    };
    unsigned(args.sign.as_deref())?;
    let note = args.note.map(|note| super::text("note", note)).transpose()?;
    if !args.yes && !prompt::possible() {
        let text = "there is no terminal to ask on: look with  stint pending  and add  --yes";
        return Err(Failure::usage(text));
    }
    // With --json standard output is the document's.
    let request = shown(&id, if args.json.json { out::warn } else { out::print })?;
    if !args.yes && !prompt::yes("Approve it?")? {
        return Err(Failure::failed(format!("{} was not approved", request.id)));
    }
    let order = ApproveOrder { id: request.id, digest: request.digest, note };
    let request: Request = agent::call("Approve", &order)?;
    Ok(super::decided(&request, args.json))
}

/// Refuses a key where nothing is signed.
///
/// # Errors
/// When one was typed.
pub fn unsigned(key: Option<&std::path::Path>) -> Result<(), Failure> {
    let text =
        "--sign is for requests of other hosts: HOST/ID, as stint pending --fleet shows them";
    if key.is_some() { Err(Failure::usage(text)) } else { Ok(()) }
}

/// The pending request of this id, when it has been shown: everything that is decided on.
///
/// # Errors
/// When it is not pending, or with the daemon's own message.
pub fn shown(id: &RequestId, show: fn(&str)) -> Result<Request, Failure> {
    let here = Here::system();
    let request = look(id)?;
    if request.state != RequestState::Pending {
        return Err(Failure::new(ExitStatus::Refused, over(&request, None, &here)));
    }
    show(&in_full(&request, &here));
    Ok(request)
}
