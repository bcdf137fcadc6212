//! `stint policy simulate --replay`: requests of the past under another policy.

use serde_json::{Value, json};
use stint_policy::Policy;
use stint_policy::replay::{Outcome as CameTo, Replayed, replay};
use stint_proto::{ExitStatus, PastRequest, Timestamp};

use crate::failure::{Failure, Outcome};
use crate::look::grants::Here;
use crate::look::replayed::replayed;
use crate::{bus, json as documents, out, when};

/// Shows what the requests since then would have come to under the policy.
pub fn run(
    policy: &Policy,
    host: &str,
    since: Option<&str>,
    here: &Here,
    as_json: bool,
) -> Outcome {
    let since = since.map(|text| when::past(text, here.now, &here.zone)).transpose();
    let since = since.map_err(Failure::usage)?.unwrap_or(Timestamp(0));
    let past: Vec<PastRequest> = bus::call("History", &since)?;
    let all = replay(policy, host, &past, &|time| here.clock(time));
    if as_json {
        out::json(&document(&all));
    } else {
        out::print(&replayed(&all, here));
    }
    Ok(ExitStatus::Done)
}

fn document(all: &[Replayed<'_>]) -> Value {
    let differing = all.iter().filter(|one| one.differs()).map(|one| {
        json!({
            "request": documents::request(one.request),
            "then": came_to(&one.then),
            "now": came_to(&one.now),
        })
    });
    let unknown = all.iter().filter(|one| one.now == CameTo::Unknown).count();
    json!({
        "requests": all.len(),
        "unknown": unknown,
        "differing": differing.collect::<Value>(),
    })
}

fn came_to(outcome: &CameTo) -> Value {
    let word = match outcome {
        CameTo::Refused { .. } => "refused",
        CameTo::AtOnce => "at-once",
        CameTo::Approvals { .. } => "approvals",
        CameTo::Unknown => "unknown",
    };
    json!({ "outcome": word, "text": outcome.to_string() })
}
