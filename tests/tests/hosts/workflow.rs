//! What the tests of requests and approvals share: the interface called raw, as somebody who does
//! not use the command could, and its answers as plain JSON. It promises nothing itself.

use serde_json::Value;
use stint_tests::{Host, Output};

use crate::common::document;

/// Approvers need not prove who they are: the tests of polkit are elsewhere.
pub const UNASKED: &str = "[approvals]\nauthenticate = false\n";

/// A call of the interface by busctl, as a line of shell.
pub fn line(member: &str, signature: &str, arguments: &str) -> String {
    let signature = if signature.is_empty() { String::new() } else { format!("'{signature}'") };
    format!(
        "busctl --system --timeout=90 --json=short -- call org.stint.Stint1 /org/stint/Stint1 \
         org.stint.Stint1 {member} {signature} {arguments}"
    )
}

/// A call with one dictionary, by somebody: its answer, or the message of the refusal.
pub fn call(host: &Host, user: &str, member: &str, entries: &[(&str, &str, &str)]) -> Outcome {
    let words: Vec<String> =
        entries.iter().map(|(key, kind, value)| format!("{key} {kind} {value}")).collect();
    let arguments = format!("{} {}", entries.len(), words.join(" "));
    outcome(&host.as_user(user, &line(member, "a{sv}", &arguments)))
}

/// An answer, or the message of a refusal.
pub type Outcome = Result<Value, String>;

/// What a call of busctl came to.
pub fn outcome(output: &Output) -> Outcome {
    if output.ok() {
        return Ok(plain(&document(&output.stdout)["data"][0]));
    }
    let said = output.stderr.trim();
    Err(said.strip_prefix("Call failed: ").unwrap_or(said).to_owned())
}

/// Without the types that busctl writes beside each value.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 2 && map.contains_key("type") => plain(&map["data"]),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        Value::Array(all) => all.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Asks for a role, for a test.
pub fn ask(host: &Host, user: &str, role: &str) -> Outcome {
    call(host, user, "Request", &[("role", "s", role), ("reason", "s", "'for a test'")])
}

/// Asks for a role that awaits approval.
pub fn pending(host: &Host, user: &str, role: &str) -> Value {
    let request = ask(host, user, role).unwrap_or_else(|why| panic!("{user}, {role}: {why}"));
    assert_eq!(request["state"], "pending", "{request}");
    request
}

/// A yes to exactly this request.
pub fn approve(host: &Host, user: &str, request: &Value) -> Outcome {
    let (id, digest) = (text(request, "id"), text(request, "digest"));
    call(host, user, "Approve", &[("id", "s", id), ("digest", "s", digest)])
}

/// The request as it is now.
pub fn look(host: &Host, request: &Value) -> Value {
    let output = host.run(&line("Await", "st", &format!("{} 0", text(request, "id"))));
    outcome(&output).unwrap_or_else(|why| panic!("{request}: {why}"))
}

/// A text of a document.
pub fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap_or_else(|| panic!("no {key}: {document}"))
}

/// Asserts that it was refused, with these words in its one message.
#[track_caller]
pub fn refused(outcome: &Outcome, words: &str) {
    match outcome {
        Ok(answer) => panic!("not refused: {answer}"),
        Err(message) => {
            assert!(message.contains(words), "wanted {words:?}: {message:?}");
            assert_eq!(message.lines().count(), 1, "{message:?}");
        }
    }
}

/// What is held and what is pending: the same before and after is "nothing was changed".
pub fn everything(host: &Host) -> (String, Value) {
    let pending = outcome(&host.run(&line("Pending", "", "")));
    (host.ok("stint list --json --all"), pending.unwrap_or_default())
}
