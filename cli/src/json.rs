//! The documents of `--json`: the contract's field names, RFC 3339 times in UTC. Stable: fields
//! may be added, none is renamed or taken away. Grants and requests look as in what hooks read.

use serde_json::{Value, json};
use stint_policy::{Diagnostic, Severity};
pub use stint_proto::json::line;
use stint_proto::json::{self, time};
use stint_proto::{
    Alarm, Delivery, Explanation, Grant, Note, ReloadReport, Remote, Request, RoleSummary, Source,
    Status,
};

/// JSON escapes what it must, and a program is shown what was typed.
fn as_typed(text: &str) -> String {
    text.to_owned()
}

/// A grant.
pub fn grant(grant: &Grant) -> Value {
    json::grant(grant, &as_typed)
}

/// Grants.
pub fn grants(grants: &[Grant]) -> Value {
    grants.iter().map(grant).collect()
}

/// A request; with the digest that an approval of it names.
pub fn request(request: &Request) -> Value {
    json::asked(request)
}

/// Requests.
pub fn requests(requests: &[Request]) -> Value {
    requests.iter().map(request).collect()
}

/// An alarm.
pub fn alarm(alarm: &Alarm) -> Value {
    json!({ "text": alarm.text, "since": time(alarm.since), "tries": alarm.tries })
}

/// What somebody changed by hand.
fn note(note: &Note) -> Value {
    json!({ "text": note.text, "mend": note.mend })
}

/// How signed documents stand.
fn remote(remote: &Remote) -> Value {
    let source = |source: &Source| {
        json!({
            "name": source.name,
            "at": time(source.at),
            "good_at": source.good_at.map(time),
            "error": (!source.error.is_empty()).then_some(&source.error),
        })
    };
    json!({
        "serial": remote.serial,
        "signers": (!remote.signers.is_empty()).then_some(&remote.signers),
        "not_before": remote.not_before.map(time),
        "current_until": remote.current_until.map(time),
        "stale": remote.stale,
        "problems": remote.problems,
        "sources": remote.sources.iter().map(source).collect::<Value>(),
    })
}

/// What became of a signed document.
pub fn delivery(delivery: &Delivery) -> Value {
    json!({
        "kind": delivery.kind,
        "outcome": delivery.outcome,
        "serial": delivery.serial,
        "signers": delivery.signers,
        "message": delivery.message,
        "warnings": delivery.warnings,
    })
}

/// `stint status`.
pub fn status(status: &Status) -> Value {
    json!({
        "host": status.host,
        "user": status.user,
        "grants": grants(&status.grants),
        "requests": requests(&status.requests),
        "to_decide": status.to_decide,
        "eligible": status.eligible,
        "gate_mode": status.gate_mode,
        "alarms": status.alarms.iter().map(alarm).collect::<Value>(),
        "notes": status.notes.iter().map(note).collect::<Value>(),
        "policy_problem": status.policy_problem,
        "remote": status.remote.as_ref().map(remote),
    })
}

/// `stint roles`.
pub fn role(role: &RoleSummary) -> Value {
    json!({
        "name": role.name,
        "description": role.description,
        "services": role.services,
        "groups": role.groups,
        "polkit": role.polkit,
        "sudo": role.sudo,
        "max_duration_seconds": role.max_duration.seconds(),
        "default_duration_seconds": role.default_duration.seconds(),
        "approvals": role.approvals,
        "approvers": role.approvers,
        "break_glass": role.break_glass,
        "reason": role.reason,
        "ticket": role.ticket,
        "eligible": role.eligible,
    })
}

/// `stint explain`.
///
/// `gated` is null where it cannot be told.
pub fn explanation(explanation: &Explanation, gated: Option<bool>) -> Value {
    json!({
        "user": explanation.user,
        "service": explanation.service,
        "at": time(explanation.at),
        "verdict": explanation.verdict,
        "because": explanation.because,
        "gated": gated,
    })
}

/// `stint reload`.
pub fn reload(report: &ReloadReport, gate: &[String]) -> Value {
    json!({
        "roles": report.roles,
        "granted": grants(&report.granted),
        "ended": grants(&report.ended),
        "warnings": report.warnings,
        "gate_mode": report.gate_mode,
        "gate_differs": gate,
    })
}

/// What is wrong with a policy.
pub fn diagnostic(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "path": diagnostic.path,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "key": diagnostic.key,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_harmless_and_says_the_same() {
        let document = json!({ "a\u{202e}": "\u{1b}[2J\n\u{7f}\u{85}\u{2028}\u{e0041}\\ä\"" });
        let line = line(&document);
        assert!(line.chars().all(stint_proto::text::is_harmless), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), document);
    }

    #[test]
    fn a_grant_has_the_fields_of_the_contract() {
        let document = grant(&crate::look::grants::tests::example());
        let contract = "id user uid role state starts_at expires_at ended_at end_reason origin \
                        reason ticket granted_by approvals";
        for field in contract.split(' ') {
            assert!(document.get(field).is_some(), "{field}");
        }
        assert_eq!(document["expires_at"], "2026-11-23T14:32:00.000Z");
        assert_eq!(document["origin"], "admin");
        assert_eq!(document["uid"], 1000);
    }

    #[test]
    fn a_request_has_the_fields_of_the_contract() {
        let mut asked = crate::look::requests::tests::example();
        asked.reason = "it\nis".into();
        let document = request(&asked);
        let contract = "id user uid role state duration_seconds starts_at reason ticket created_at \
                        approvals approvals_needed grant";
        for field in contract.split(' ') {
            assert!(document.get(field).is_some(), "{field}");
        }
        assert_eq!(document["created_at"], "2026-11-23T14:00:00.000Z");
        assert_eq!(document["duration_seconds"], 1800);
        assert_eq!((&document["state"], &document["grant"]), (&"pending".into(), &Value::Null));
        assert_eq!((&document["digest"], &document["reason"]), (&"d1".into(), &"it\nis".into()));
    }
}
