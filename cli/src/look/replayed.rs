//! What another policy would have made of requests of the past.

use stint_policy::replay::{Outcome, Replayed};
use stint_policy::text::harmless;

use super::count;
use super::grants::Here;
use super::table::table;

/// What would differ, and how much that is.
pub fn replayed(all: &[Replayed<'_>], here: &Here) -> String {
    let differing: Vec<_> = all.iter().filter(|one| one.differs()).collect();
    let unknown = all.iter().filter(|one| one.now == Outcome::Unknown).count();
    let of = count(all.len(), "request", "requests");
    let mut text = match differing.len() {
        _ if all.is_empty() => "There were no requests.".to_owned(),
        0 => format!("Nothing would differ: {of}."),
        number => format!("{number} of {of} would have come to something else."),
    };
    if unknown > 0 {
        let unknown = count(unknown, "extension", "extensions");
        text.push_str(&format!(" {unknown} of older grants could not be judged."));
    }
    if differing.is_empty() {
        return text;
    }
    let rows: Vec<_> = differing
        .iter()
        .map(|one| {
            let request = one.request;
            vec![
                request.id.to_string(),
                here.clock(request.created_at),
                request.user.to_string(),
                request.role.to_string(),
                request.state.to_string(),
                harmless(&one.then.to_string()),
                harmless(&one.now.to_string()),
            ]
        })
        .collect();
    let headings = ["ID", "ASKED", "USER", "ROLE", "STATE", "THEN", "NOW"];
    format!("{text}\n{}", table(&headings, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let request = crate::look::requests::tests::example();
        let here =
            Here { now: "2026-11-23T14:03:30Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let two = || Outcome::Approvals { needed: 2 };
        let one = |now| Replayed { request: &request, then: two(), now };
        let shown =
            |all: &[Replayed<'_>]| anstream::adapter::strip_str(&replayed(all, &here)).to_string();
        assert_eq!(shown(&[]), "There were no requests.");
        assert_eq!(
            shown(&[one(two()), one(Outcome::Unknown)]),
            "Nothing would differ: 2 requests. 1 extension of older grants could not be judged."
        );
        assert_eq!(
            shown(&[one(two()), one(Outcome::AtOnce)]),
            "1 of 2 requests would have come to something else.\n  \
               ID    ASKED  USER   ROLE        STATE    THEN               NOW\n  \
               7kq2  14:00  alice  db-restore  pending  needs 2 approvals  granted at once"
        );
    }
}
