//! `stint approve`: shows exactly what is approved, asks, and approves that and nothing else.

use stint_proto::{ApproveOrder, ExitStatus, Request, RequestState};

use crate::agent;
use crate::args::ApproveArgs;
use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::requests::{in_full, over};
use crate::waiting::look;
use crate::{out, prompt};

/// Says yes to a request.
pub fn run(args: ApproveArgs) -> Outcome {
    let note = args.note.map(|note| super::text("note", note)).transpose()?;
    if !args.yes && !prompt::possible() {
        let text = "there is no terminal to ask on: look with  stint pending  and add  --yes";
        return Err(Failure::usage(text));
    }
    let here = Here::system();
    let request = look(&args.id)?;
    if request.state != RequestState::Pending {
        return Err(Failure::new(ExitStatus::Refused, over(&request, None, &here)));
    }
    if args.json.json {
        // Standard output is the document's.
        out::warn(&in_full(&request, &here));
    } else {
        out::print(&in_full(&request, &here));
    }
    if !args.yes && !prompt::yes("Approve it?")? {
        return Err(Failure::failed(format!("{} was not approved", request.id)));
    }
    let order = ApproveOrder { id: request.id, digest: request.digest, note };
    let request: Request = agent::call("Approve", &order)?;
    Ok(super::decided(&request, args.json))
}
