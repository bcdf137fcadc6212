//! `stint drop`.

use stint_proto::{DropOrder, ExitStatus, Grant};

use crate::args::DropArgs;
use crate::failure::Outcome;
use crate::{bus, json, out};

/// Gives back a grant.
pub fn run(args: DropArgs) -> Outcome {
    let grants: Vec<Grant> = bus::call("Drop", &DropOrder { id: args.id })?;
    if args.json.json {
        out::json(&json::grants(&grants));
    } else {
        let given =
            grants.iter().map(|grant| format!("{} is given back ({}).", grant.role, grant.id));
        out::print(&given.collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitStatus::Done)
}
