//! `stint review`.

use stint_proto::{ExitStatus, Grant, ReviewOrder};

use crate::agent;
use crate::args::ReviewArgs;
use crate::failure::Outcome;
use crate::{json, out};

/// Marks the use of a break-glass role as reviewed.
pub fn run(args: ReviewArgs) -> Outcome {
    let order = ReviewOrder { id: args.id, note: super::text("note", args.note)? };
    let grant: Grant = agent::call("Review", &order)?;
    if args.json.json {
        out::json(&json::grant(&grant));
    } else {
        let (role, user, id) = (&grant.role, &grant.user, &grant.id);
        out::print(&format!("{user}'s use of {role} is reviewed ({id})."));
    }
    Ok(ExitStatus::Done)
}
