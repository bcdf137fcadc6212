//! `stint extend`.

use stint_proto::{ExtendOrder, Request};

use crate::args::ExtendArgs;
use crate::bus;
use crate::failure::Outcome;

/// Asks for more time with a grant.
pub fn run(args: ExtendArgs) -> Outcome {
    let reason = args.reason.map(super::reason).transpose()?;
    let order = ExtendOrder { id: args.id, duration: args.duration, reason };
    let request: Request = bus::call("Extend", &order)?;
    super::request::asked(request, args.json.json)
}
