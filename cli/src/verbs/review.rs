//! `stint review`: shows what is reviewed, and marks it.

use stint_proto::{ExitStatus, Grant, GrantId, ListFilter, ReviewOrder};

use crate::args::ReviewArgs;
use crate::failure::{Failure, Outcome};
use crate::look::grants::{Here, in_full};
use crate::{agent, bus, json, out};

/// Marks the use of a break-glass role as reviewed.
pub fn run(args: ReviewArgs) -> Outcome {
    let mut order = ReviewOrder { id: args.id, note: super::text("note", args.note)? };
    if !args.json.json
        && let Some(used) = awaits(&order.id)?
    {
        out::print(&in_full(&used, &Here::system()));
        order.id = used.id;
    }
    let grant: Grant = agent::call("Review", &order)?;
    if args.json.json {
        out::json(&json::grant(&grant));
    } else {
        let (role, user, id) = (&grant.role, &grant.user, &grant.id);
        out::print(&format!("{user}'s use of {role} is reviewed ({id})."));
    }
    Ok(ExitStatus::Done)
}

/// The use that awaits the caller's review under this id. Where there is not exactly one, the
/// daemon says why, before it asks for a password.
fn awaits(id: &GrantId) -> Result<Option<Grant>, Failure> {
    let filter = ListFilter { to_review: true, ..ListFilter::default() };
    let uses: Vec<Grant> = bus::call("List", &filter)?;
    let mut fitting = uses.into_iter().filter(|used| used.id.as_str().starts_with(id.as_str()));
    Ok(fitting.next().filter(|_| fitting.next().is_none()))
}
