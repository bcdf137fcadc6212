//! The document of `stint standing --json`. Stable: fields may be added, none is renamed or taken
//! away.

use serde_json::{Value, json};
use stint_proto::json::time;
use stint_proto::{Standing, StandingPrivilege};

/// All that was found.
pub fn standing(found: &Standing, host: &str) -> Value {
    json!({
        "host": host,
        "at": time(found.at),
        "count": found.count,
        "standing": found.held.iter().map(privilege).collect::<Value>(),
        "unseen": found.unseen,
        "root_gets_in": found.ways_of_root,
    })
}

fn privilege(held: &StandingPrivilege) -> Value {
    json!({
        "who": held.who,
        "uid": held.uid,
        "person": held.person,
        "kind": held.kind.as_str(),
        "weight": held.weight.as_str(),
        "counts": held.counts,
        "how": held.how,
        "why": held.why,
        "since": time(held.since),
        "group": held.group,
        "path": held.path,
        "line": held.line,
        "rule": held.rule,
        "nopasswd": held.nopasswd,
        "adopt": held.end.as_str(),
        "end": held.by_hand,
    })
}
