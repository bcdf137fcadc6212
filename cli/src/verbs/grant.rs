//! `stint grant`.

use stint_proto::{ExitStatus, Grant, GrantOrder};

use crate::args::GrantArgs;
use crate::failure::{Outcome, root_only};
use crate::look::grants::{Here, granted};
use crate::{bus, json, out};

/// Gives a role to a user.
pub fn run(args: GrantArgs) -> Outcome {
    if let Some(key) = args.sign.clone() {
        return super::signed::sign_grant(args, &key);
    }
    args.to.check_unsigned()?;
    root_only("grant")?;
    let here = Here::system();
    let order = GrantOrder {
        user: args.user,
        role: args.role,
        duration: args.duration,
        starts_at: super::time(args.at.as_deref(), &here)?,
        reason: super::reason(args.reason)?,
        ticket: args.ticket.map(|ticket| super::text("ticket", ticket)).transpose()?,
    };
    let grant: Grant = bus::call("Grant", &order)?;
    if args.json.json {
        out::json(&json::grant(&grant));
    } else {
        out::print(&granted(&grant, &Here::system()));
    }
    Ok(ExitStatus::Done)
}
