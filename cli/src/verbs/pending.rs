//! `stint pending`.

use stint_proto::{ExitStatus, Request};

use crate::args::PendingArgs;
use crate::failure::Outcome;
use crate::look::grants::Here;
use crate::{bus, json, look, out};

/// Shows the requests that await the caller's word.
pub fn run(args: PendingArgs) -> Outcome {
    if args.fleet {
        return super::fleet::show::requests(args.json);
    }
    let requests: Vec<Request> = bus::call("Pending", &())?;
    if args.json.json {
        out::json(&json::requests(&requests));
    } else if requests.is_empty() {
        out::print("No request awaits your word.");
    } else {
        out::print(&look::requests::pending(&requests, &Here::system()));
    }
    Ok(ExitStatus::Done)
}
