//! `stint roles`.

use stint_proto::{ExitStatus, RoleSummary};

use crate::args::Json;
use crate::failure::Outcome;
use crate::{bus, json, look, out};

/// Shows the roles of this host.
pub fn run(args: Json) -> Outcome {
    let roles: Vec<RoleSummary> = bus::call("Roles", &())?;
    if args.json {
        out::json(&roles.iter().map(json::role).collect());
    } else if roles.is_empty() {
        out::print(
            "The policy has no role for this host. root: edit /etc/stint/policy.toml, then  stint reload",
        );
    } else {
        out::print(&look::grants::roles(&roles));
    }
    Ok(ExitStatus::Done)
}
