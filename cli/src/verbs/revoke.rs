//! `stint revoke`.

use stint_proto::{ExitStatus, Grant, RevokeOrder};

use crate::args::RevokeArgs;
use crate::failure::{Outcome, root_only};
use crate::look::grants::ended;
use crate::{bus, json, out};

/// Ends grants.
pub fn run(args: RevokeArgs) -> Outcome {
    if let Some(key) = args.sign.clone() {
        return super::signed::sign_revocation(args, &key);
    }
    args.to.check_unsigned()?;
    root_only("revoke")?;
    let order = RevokeOrder {
        id: args.id,
        user: args.user,
        role: args.role,
        all: args.all,
        reason: super::reason(args.reason)?,
    };
    let grants: Vec<Grant> = bus::call("Revoke", &order)?;
    if args.json.json {
        out::json(&json::grants(&grants));
    } else if grants.is_empty() {
        out::print("No such grant is held: nothing was ended.");
    } else {
        out::print(&grants.iter().map(ended).collect::<Vec<_>>().join("\n"));
    }
    Ok(ExitStatus::Done)
}
