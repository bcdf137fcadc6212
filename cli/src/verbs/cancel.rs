//! `stint cancel`.

use stint_proto::{ExitStatus, Request};

use crate::args::CancelArgs;
use crate::failure::Outcome;
use crate::{bus, json, out};

/// Takes a request back.
pub fn run(args: &CancelArgs) -> Outcome {
    let request: Request = bus::call("Cancel", &args.id)?;
    if args.json.json {
        out::json(&json::request(&request));
    } else {
        out::print(&format!("{}, the request for {}, is taken back.", request.id, request.role));
    }
    Ok(ExitStatus::Done)
}
