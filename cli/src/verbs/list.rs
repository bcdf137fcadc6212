//! `stint list`.

use stint_proto::{ExitStatus, Grant, ListFilter};

use crate::args::ListArgs;
use crate::failure::Outcome;
use crate::look::grants::{Here, list};
use crate::look::residue::changes;
use crate::{bus, json, out};

/// Shows grants.
pub fn run(args: ListArgs) -> Outcome {
    let ListArgs { all: ended, to_review, fleet, user, role, json } = args;
    if fleet {
        return super::fleet::show::grants(user.as_ref(), role.as_ref(), json);
    }
    let filter = ListFilter { ended, to_review, user, role };
    let grants: Vec<Grant> = bus::call("List", &filter)?;
    if json.json {
        out::json(&json::grants(&grants));
    } else if grants.is_empty() && to_review {
        out::print("Nothing awaits your review.");
    } else if grants.is_empty() {
        let scope = if ended { "" } else { " Ended ones too:  stint list --all" };
        out::print(&format!("No grants.{scope}"));
    } else {
        out::print(&list(&grants, &Here::system()));
        if let Some(text) = changes(&grants) {
            out::print(&format!("\n{text}"));
        }
    }
    Ok(ExitStatus::Done)
}
