//! `stint deny`: shows what is denied, and denies it.

use stint_proto::{DenyOrder, Request};

use crate::agent;
use crate::args::{DenyArgs, Named};
use crate::failure::Outcome;

/// Says no to a request.
pub fn run(args: DenyArgs) -> Outcome {
    let id = match args.id.clone() {
        Named::Here(id) => id,
        Named::There(host, id) => return super::fleet::decide::deny(args, &host, &id),
    };
    super::approve::unsigned(args.sign.as_deref())?;
    let mut order = DenyOrder { id, reason: super::reason(args.reason)? };
    if !args.json.json {
        order.id = super::approve::shown(&order.id, crate::out::print)?.id;
    }
    let request: Request = agent::call("Deny", &order)?;
    Ok(super::decided(&request, args.json))
}
