//! `stint extend`.

use stint_proto::{ExitStatus, ExtendOrder, Request, RequestState};

use crate::args::ExtendArgs;
use crate::failure::Outcome;
use crate::look::requests::made;
use crate::waiting::Waited;
use crate::{bus, json, out};

/// Asks for more time with a grant.
pub fn run(args: ExtendArgs) -> Outcome {
    let reason = args.reason.map(super::reason).transpose()?;
    let order = ExtendOrder { id: args.id, duration: args.duration, reason };
    let request: Request = bus::call("Extend", &order)?;
    if request.state != RequestState::Pending {
        return super::request::outcome(&Waited::Over(request), args.json.json);
    }
    if args.json.json {
        out::json(&json::request(&request));
    } else {
        out::print(&made(&request));
    }
    Ok(ExitStatus::Done)
}
