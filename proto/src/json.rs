//! Grants and requests as JSON, the same in `--json` of the command and in what hooks read: the
//! contract's field names, RFC 3339 times in UTC. Stable: fields may be added, none is renamed or
//! taken away.

use serde_json::{Value, json};

use crate::text::is_harmless;
use crate::{Finding, Grant, Request, Residue, Timestamp};

/// What becomes of a text that people typed, or that others made of it.
pub type Typed<'a> = &'a dyn Fn(&str) -> String;

/// A point in time.
#[must_use]
pub fn time(time: Timestamp) -> Value {
    json!(time.to_string())
}

/// A document in one line, in which nothing moves a cursor or turns the direction of writing: such
/// characters are escaped as JSON escapes them (`\u202e`), so that it says the same.
#[must_use]
pub fn line(document: &Value) -> String {
    let text = document.to_string();
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        // JSON's own marks are harmless, so this one is inside a text.
        if is_harmless(c) {
            line.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    line
}

/// A grant.
#[must_use]
pub fn grant(grant: &Grant, typed: Typed<'_>) -> Value {
    json!({
        "id": grant.id,
        "user": grant.user,
        "uid": grant.uid,
        "role": grant.role,
        "state": grant.state,
        "starts_at": time(grant.starts_at),
        "expires_at": time(grant.expires_at),
        "ended_at": grant.ended_at.map(time),
        "end_reason": grant.end_reason,
        "origin": grant.origin,
        "reason": typed(&grant.reason),
        "ticket": grant.ticket.as_deref().map(typed),
        "granted_by": typed(&grant.granted_by),
        "approvals": grant.approvals,
        "request": grant.request,
        "reviewed_by": grant.reviewed_by.as_deref().map(typed),
        "services": grant.services,
        "groups": grant.groups,
        "residue": grant.residue.as_ref().map(|residue| self::residue(residue, typed)),
        "without": grant.without.iter().map(|what| typed(what)).collect::<Vec<_>>(),
    })
}

/// What a grant left; file names are others' words.
fn residue(residue: &Residue, typed: Typed<'_>) -> Value {
    let finding = |found: &Finding| {
        json!({
            "kind": found.kind,
            "path": typed(&found.path),
            "entry": (!found.entry.is_empty()).then(|| typed(&found.entry)),
            "change": found.change,
        })
    };
    json!({
        "since": time(residue.since),
        "late": residue.late,
        "until": time(residue.until),
        "files": residue.files,
        "micros": residue.micros,
        "count": residue.count,
        "found": residue.found.iter().map(finding).collect::<Vec<_>>(),
        "unseen": residue.unseen.iter().map(|line| typed(line)).collect::<Vec<_>>(),
    })
}

/// A request, without its digest.
#[must_use]
pub fn request(request: &Request, typed: Typed<'_>) -> Value {
    json!({
        "id": request.id,
        "user": request.user,
        "uid": request.uid,
        "role": request.role,
        "state": request.state,
        "duration_seconds": request.duration.seconds(),
        "starts_at": request.starts_at.map(time),
        "reason": typed(&request.reason),
        "ticket": request.ticket.as_deref().map(typed),
        "created_at": time(request.created_at),
        "lapses_at": time(request.lapses_at),
        "ended_at": request.ended_at.map(time),
        "ended_by": request.ended_by.as_deref().map(typed),
        "note": request.note.as_deref().map(typed),
        "approvals": request.approvals,
        "approvals_needed": request.approvals_needed,
        "approvers": request.approvers,
        "grant": request.grant,
        "extends": request.extends,
        "confers": request.confers.iter().map(|line| typed(line)).collect::<Vec<_>>(),
    })
}

/// A request to be decided on, as it was typed: with the digest that an approval of it names.
#[must_use]
pub fn asked(request: &Request) -> Value {
    let mut document = self::request(request, &str::to_owned);
    if let Value::Object(fields) = &mut document {
        fields.insert("digest".to_owned(), json!(request.digest));
    }
    document
}
