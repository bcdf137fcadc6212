//! `stint deny`.

use stint_proto::{DenyOrder, ExitStatus, Request};

use crate::agent::Agent;
use crate::args::DenyArgs;
use crate::failure::Outcome;
use crate::look::requests::decided;
use crate::{bus, json, out};

/// Says no to a request.
pub fn run(args: DenyArgs) -> Outcome {
    let order = DenyOrder { id: args.id, reason: super::reason(args.reason)? };
    let agent = Agent::start();
    let answer = bus::call_with_password("Deny", &order);
    drop(agent);
    let request: Request = answer?;
    if args.json.json {
        out::json(&json::request(&request));
    } else {
        out::print(&decided(&request));
    }
    Ok(ExitStatus::Done)
}
