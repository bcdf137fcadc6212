//! `stint deny`: shows what is denied, and denies it.

use stint_proto::{DenyOrder, Request};

use crate::agent;
use crate::args::DenyArgs;
use crate::failure::Outcome;

/// Says no to a request.
pub fn run(args: DenyArgs) -> Outcome {
    let mut order = DenyOrder { id: args.id, reason: super::reason(args.reason)? };
    if !args.json.json {
        order.id = super::approve::shown(&order.id, crate::out::print)?.id;
    }
    let request: Request = agent::call("Deny", &order)?;
    Ok(super::decided(&request, args.json))
}
