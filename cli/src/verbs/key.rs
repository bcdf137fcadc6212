//! `stint audit key`: by which key this host signs how far its record has come.

use serde_json::json;
use stint_document::CHECKPOINT_NAMESPACE;
use stint_policy::text::harmless;
use stint_proto::{CheckpointKey, ExitStatus};

use crate::args::Json;
use crate::failure::Outcome;
use crate::{bus, out};

/// Shows it, as a line of `allowed_signers`.
pub fn run(args: Json) -> Outcome {
    let CheckpointKey { host, key }: CheckpointKey = bus::call("CheckpointKey", &())?;
    let line = format!("{host} namespaces=\"{CHECKPOINT_NAMESPACE}\" {key}");
    if args.json {
        out::json(&json!({"host": host, "key": key, "allowed_signers": line}));
    } else {
        out::print(&harmless(&line));
    }
    Ok(ExitStatus::Done)
}
