//! `stint revoke`.

use stint_proto::{ExitStatus, Grant, RevokeOrder};

use crate::args::{Named, RevokeArgs};
use crate::failure::{Failure, Outcome, root_only};
use crate::look::grants::ended;
use crate::{bus, json, out};

/// Ends grants.
pub fn run(args: RevokeArgs) -> Outcome {
    let id = match args.id.clone() {
        Some(Named::There(..)) => return super::fleet::publish::revoke(args),
        Some(Named::Here(id)) => Some(id),
        None => None,
    };
    if args.fleet {
        return super::fleet::publish::revoke(args);
    }
    if let Some(key) = args.sign.clone() {
        if args.json.json {
            return Err(Failure::usage("a document is written by --sign, and nothing to print"));
        }
        return super::signed::sign_revocation(args, id, &key);
    }
    args.to.check_unsigned()?;
    root_only("revoke")?;
    let order = RevokeOrder {
        id,
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
