//! The document of `stint review --json`. Stable: fields may be added, none is renamed or taken
//! away.

use serde_json::{Value, json};
use stint_proto::json::time;
use stint_proto::{Attestation, EligibleEntry, ReviewedGrant, RoleName, UserName};

use super::model::{Outside, Pair, Review, span};
use crate::json as documents;

/// The whole review.
pub fn document(review: &Review) -> Value {
    let counts = review.counts;
    json!({
        "host": review.host,
        "from": time(review.period.from),
        "until": time(review.period.until),
        "record_begins": review.begins.map(time),
        "record_cut": review.cut,
        "often": review.often,
        "summary": {
            "grants": review.total,
            "active": review.active(),
            "holders": review.holders(),
            "held_seconds": seconds(review.held()),
            "checks_allowed": counts.allowed,
            "checks_denied": counts.denied,
            "checks_observed": counts.observed,
            "requests": counts.requested,
            "requests_denied": counts.refused,
            "policies_loaded": counts.policies,
            "audit_gaps": counts.gaps,
            "break_glass_unreviewed": review.unreviewed(),
        },
        "holders": review.pairs.iter().map(|((user, role), pair)| holder(user, role, pair)).collect::<Value>(),
        "too_often": review.too_often().into_iter().map(|(user, role, pair)| holder(user, role, pair)).collect::<Value>(),
        "eligible": review.eligible.iter().map(|one| eligible(review, one)).collect::<Value>(),
        "grants": review.grants().map(|one| grant(review, one)).collect::<Value>(),
        "more_grants": review.more_grants(),
        "outside": review.outside.iter().map(outside).collect::<Value>(),
        "more_outside": review.more_outside,
    })
}

fn holder(user: &UserName, role: &RoleName, pair: &Pair) -> Value {
    json!({
        "user": user,
        "role": role,
        "grants": pair.grants,
        "held_seconds": seconds(pair.held),
        "active": pair.active,
        "last_start": pair.last.map(time),
        "most_in_7_days": pair.most,
    })
}

fn eligible(review: &Review, entry: &EligibleEntry) -> Value {
    let (used, unused) = review.users_of(entry);
    let users = entry.users.iter().map(|one| {
        json!({
            "user": one.user,
            "used": used.contains(&&one.user),
            "attested": one.attested.as_ref().map(attested),
        })
    });
    json!({
        "role": entry.role,
        "who": entry.who,
        "path": entry.path,
        "line": entry.line,
        "known": entry.known,
        "used": used.len(),
        "unused": unused.len(),
        "users": users.collect::<Value>(),
        "attested": entry.attested.as_ref().map(attested),
    })
}

fn grant(review: &Review, one: &ReviewedGrant) -> Value {
    let held = span(one, review.period).map_or(0, |(from, to)| to - from);
    let mut document = documents::grant(&one.grant);
    let approved = one
        .approvals
        .iter()
        .map(|given| json!({ "user": given.user, "at": time(given.at), "note": given.note }));
    if let Value::Object(fields) = &mut document {
        for (name, value) in [
            ("held_seconds", json!(seconds(held))),
            ("approved", approved.collect()),
            ("reviewed_at", json!(one.reviewed_at.map(time))),
            ("review_note", json!(one.review_note)),
            ("attested", json!(one.attested.as_ref().map(attested))),
        ] {
            fields.insert(name.to_owned(), value);
        }
    }
    document
}

/// A reviewer's word.
pub fn attested(word: &Attestation) -> Value {
    json!({
        "word": word.word,
        "by": word.by,
        "at": time(word.at),
        "note": word.note,
        "grant": word.grant,
        "who": word.who,
        "role": word.role,
        "mend": word.mend,
    })
}

fn outside(one: &Outside) -> Value {
    json!({
        "at": time(one.at),
        "event": one.event,
        "user": one.user,
        "group": one.group,
        "grant": one.grant,
        "message": one.message,
        "link": one.link,
    })
}

/// Whole seconds, to the nearest.
fn seconds(micros: i64) -> i64 {
    micros.saturating_add(500_000) / 1_000_000
}
