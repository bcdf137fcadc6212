//! `stint deny`.

use stint_proto::{DenyOrder, Request};

use crate::agent;
use crate::args::DenyArgs;
use crate::failure::Outcome;

/// Says no to a request.
pub fn run(args: DenyArgs) -> Outcome {
    let order = DenyOrder { id: args.id, reason: super::reason(args.reason)? };
    let request: Request = agent::call("Deny", &order)?;
    Ok(super::decided(&request, args.json))
}
