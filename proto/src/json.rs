//! Grants and requests as JSON, the same in `--json` of the command and in what hooks read: the
//! contract's field names, RFC 3339 times in UTC. Stable: fields may be added, none is renamed or
//! taken away.

use serde_json::{Value, json};

use crate::{Grant, Request, Timestamp};

/// What becomes of a text that people typed, or that others made of it.
pub type Typed<'a> = &'a dyn Fn(&str) -> String;

/// A point in time.
#[must_use]
pub fn time(time: Timestamp) -> Value {
    json!(time.to_string())
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
