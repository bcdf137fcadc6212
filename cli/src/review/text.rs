//! The access review on a terminal: what asks for a decision first, then who held what. The tables
//! make everything harmless that people typed.

use jiff::tz::TimeZone;
use stint_proto::{Attestation, EligibleEntry, ReviewedGrant, Timestamp, UserName};

use super::model::Review;
use crate::look::grants::given_by;
use crate::look::residue::in_a_line;
use crate::look::table::table;
use crate::look::times::length;
use crate::look::{GOOD, HEAD, ODD, count, styled};

/// How many names stand in a cell.
const NAMES: usize = 6;
/// How many grants a terminal is shown; all are in the other forms.
const GRANTS: usize = 200;

/// The whole review.
pub fn text(review: &Review, zone: &TimeZone) -> String {
    let mut parts = vec![summary(review, zone)];
    parts.extend(unused(review, zone));
    parts.extend(often(review));
    parts.extend(emergencies(review, zone));
    parts.extend(residue(review, zone));
    parts.extend(outside(review, zone));
    if parts.len() == 1 {
        parts.push(styled(GOOD, "Nothing here asks for a decision."));
    }
    parts.extend(holders(review, zone));
    parts.extend(grants(review, zone));
    parts.push(
        "To say that something is as it should be, or should go, for the record:\n  \
         stint review GRANT --attest keep|remove --note TEXT\n  \
         stint review --attest keep|remove --eligible WHO --role ROLE --note TEXT"
            .to_owned(),
    );
    parts.join("\n\n")
}

/// A time with its date: a review is read later too.
pub fn stamp(time: Timestamp, zone: &TimeZone) -> String {
    let read = jiff::Timestamp::from_microsecond(time.micros());
    match read {
        Ok(read) => read.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => time.to_string(),
    }
}

/// What the review does not know.
pub fn gaps(review: &Review, zone: &TimeZone) -> Vec<String> {
    let begins = review.begins.map(|begins| stamp(begins, zone)).map(|begins| match review.cut {
        true => format!(
            "The record begins {begins}: what was before was cut off it. Grants are known from \
             before; who was let in or turned away, and changes from outside, are not."
        ),
        false => format!("The record begins {begins}: before that there was none on this host."),
    });
    let unjudged = review.is_unjudged().then(|| {
        "The account database did not say in time who is eligible: what nobody used is not judged."
            .to_owned()
    });
    begins.into_iter().chain(unjudged).collect()
}

/// Why a role that is taken often is worth a word.
pub fn why_often(often: u32) -> String {
    let days = match often {
        super::model::OFTEN => ", twice each working day,",
        _ => "",
    };
    format!(
        "{often} times or more in 7 days{days} is as good as having it for ever: a narrower role, \
         a longer grant, or a job that a machine does may be what is wanted."
    )
}

fn summary(review: &Review, zone: &TimeZone) -> String {
    let (from, until) = (stamp(review.period.from, zone), stamp(review.period.until, zone));
    let head = format!("Access review of {}, {from} to {until}", review.host);
    let counts = review.counts;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut lines = vec![
        styled(HEAD, &head),
        format!(
            "  {}, held by {} for {} altogether; {} now",
            count(number(review.total), "grant", "grants"),
            count(review.holders(), "person", "people"),
            length(review.held()),
            count(review.active(), "runs", "run"),
        ),
        format!(
            "  let in {}, turned away {}; {}, {} of them denied; {} loaded",
            count(number(counts.allowed), "time", "times"),
            count(number(counts.denied), "time", "times"),
            count(number(counts.requested), "request", "requests"),
            counts.refused,
            count(number(counts.policies), "policy", "policies"),
        ),
    ];
    if counts.observed > 0 {
        let let_in = count(number(counts.observed), "time", "times");
        let text = format!("  let in {let_in} only because the gate observes");
        lines.push(styled(ODD, &text));
    }
    if counts.gaps > 0 {
        let gaps = count(number(counts.gaps), "time", "times");
        lines.push(styled(ODD, &format!("  events were lost on their way to the log {gaps}")));
    }
    let gaps = gaps(review, zone);
    lines.extend(gaps.iter().map(|text| styled(ODD, &format!("  {text}"))));
    lines.join("\n")
}

fn unused(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review
        .unused()
        .into_iter()
        .chain(review.partly_used())
        .map(|entry| {
            vec![
                entry.who.clone(),
                entry.role.to_string(),
                usage(review, entry),
                format!("{}:{}", entry.path, entry.line),
                word_of(entry.attested.as_ref(), zone),
            ]
        })
        .collect();
    let mends: Vec<_> =
        review.unused().into_iter().map(|entry| format!("  {}", mend(entry))).collect();
    let mends = match mends.as_slice() {
        [] => String::new(),
        some => format!("\nIf it is not needed:\n{}\n  then: stint reload", some.join("\n")),
    };
    let headings = ["WHO", "ROLE", "NOT USED", "POLICY", "LAST WORD"];
    section("Eligible, and not used in this time", &headings, &rows).map(|text| text + &mends)
}

/// Who of an entry has not used it.
pub fn usage(review: &Review, entry: &EligibleEntry) -> String {
    let (used, unused) = review.users_of(entry);
    match (entry.known, used.len(), unused.as_slice()) {
        (Some(false), ..) => "there is no such account or group on this host".to_owned(),
        (None, ..) => "the account database did not say who that is".to_owned(),
        (_, 0, []) => "nobody is in it".to_owned(),
        (_, 0, [_]) if !entry.who.starts_with('%') => "never".to_owned(),
        (_, 0, some) => format!("by none of {}: {}", some.len(), names(some)),
        (_, of, some) => format!("by {} of {}: {}", some.len(), of + some.len(), names(some)),
    }
}

fn names(users: &[&UserName]) -> String {
    let mut names: Vec<_> = users.iter().take(NAMES).map(ToString::to_string).collect();
    if users.len() > NAMES {
        names.push(format!("{} more", users.len() - NAMES));
    }
    names.join(", ")
}

/// What would take an entry out of the policy.
pub fn mend(entry: &EligibleEntry) -> String {
    let EligibleEntry { role, who, path, line, .. } = entry;
    let path = stint_policy::text::harmless(path);
    format!("take \"{who}\" out of roles.{role}.eligible ({path}:{line})")
}

/// A reviewer's word: `keep, carol 2026-11-01 09:00: still on call`.
pub fn word_of(word: Option<&Attestation>, zone: &TimeZone) -> String {
    word.map_or_else(String::new, |word| {
        format!("{}, {} {}: {}", word.word, word.by, stamp(word.at, zone), word.note)
    })
}

fn often(review: &Review) -> Option<String> {
    let rows: Vec<_> = review
        .too_often()
        .into_iter()
        .map(|(user, role, pair)| {
            vec![
                user.to_string(),
                role.to_string(),
                pair.most.to_string(),
                pair.grants.to_string(),
                length(pair.held),
                share(pair.held, review),
            ]
        })
        .collect();
    let headings = ["USER", "ROLE", "IN 7 DAYS", "IN ALL", "HELD", "OF THE TIME"];
    section("Taken often", &headings, &rows)
        .map(|text| format!("{text}\n  {}", why_often(review.often)))
}

/// How much of the time something was held.
pub fn share(held: i64, review: &Review) -> String {
    let all = review.period.micros().max(1);
    format!("{} %", (i128::from(held) * 100 + i128::from(all) / 2) / i128::from(all))
}

fn emergencies(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review
        .emergencies()
        .into_iter()
        .map(|one| {
            let grant = &one.grant;
            let looked = reviewed(one, zone)
                .unwrap_or_else(|| format!("nobody yet: stint review {} --note TEXT", grant.id));
            let (id, user, role) =
                (grant.id.to_string(), grant.user.to_string(), grant.role.to_string());
            vec![id, user, role, stamp(grant.starts_at, zone), grant.reason.clone(), looked]
        })
        .collect();
    let headings = ["GRANT", "USER", "ROLE", "FROM", "REASON", "REVIEWED BY"];
    section("Uses of break-glass roles", &headings, &rows)
}

/// Who looked at the use of a role for emergencies, and what they found.
pub fn reviewed(one: &ReviewedGrant, zone: &TimeZone) -> Option<String> {
    let by = one.grant.reviewed_by.as_ref()?;
    let at = one.reviewed_at.map_or_else(String::new, |at| format!(" {}", stamp(at, zone)));
    let note = one.review_note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
    Some(format!("{by}{at}{note}"))
}

fn residue(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review
        .with_residue()
        .into_iter()
        .map(|one| {
            let grant = &one.grant;
            let (id, user, role) =
                (grant.id.to_string(), grant.user.to_string(), grant.role.to_string());
            let what = grant.residue.as_ref().map(in_a_line).unwrap_or_default();
            vec![id, user, role, stamp(grant.starts_at, zone), what]
        })
        .collect();
    let headings = ["GRANT", "USER", "ROLE", "FROM", "WHAT"];
    section("Changed on this host while a grant was held, by whomever", &headings, &rows)
}

fn outside(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review
        .outside
        .iter()
        .map(|one| vec![stamp(one.at, zone), one.event.clone(), one.message.clone()])
        .collect();
    let text = section("Changed outside stint", &["WHEN", "EVENT", "WHAT"], &rows)?;
    Some(match review.more_outside {
        0 => text,
        more => format!("{text}\n  and {more} more before that:  stint log"),
    })
}

fn holders(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review
        .pairs
        .iter()
        .map(|((user, role), pair)| {
            vec![
                user.to_string(),
                role.to_string(),
                pair.grants.to_string(),
                length(pair.held),
                share(pair.held, review),
                pair.last.map_or_else(String::new, |at| stamp(at, zone)),
            ]
        })
        .collect();
    let headings = ["USER", "ROLE", "GRANTS", "HELD", "OF THE TIME", "LAST"];
    section("Who held what", &headings, &rows)
}

fn grants(review: &Review, zone: &TimeZone) -> Option<String> {
    let rows: Vec<_> = review.grants().rev().take(GRANTS).map(|one| row(one, zone)).collect();
    let headings = ["GRANT", "USER", "ROLE", "FROM", "UNTIL", "END", "BY", "REASON", "LAST WORD"];
    let text = section("Grants, the newest first", &headings, &rows)?;
    let listed = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Some(match review.total.saturating_sub(listed) {
        0 => text,
        more => format!("{text}\n  and {more} more:  stint review --json, or --html FILE"),
    })
}

fn row(one: &ReviewedGrant, zone: &TimeZone) -> Vec<String> {
    let grant = &one.grant;
    let end = grant.end_reason.map_or_else(|| grant.state.to_string(), |how| how.to_string());
    vec![
        grant.id.to_string(),
        grant.user.to_string(),
        grant.role.to_string(),
        stamp(grant.starts_at, zone),
        stamp(grant.ended_at.unwrap_or(grant.expires_at), zone),
        end,
        given_by(grant),
        grant.reason.clone(),
        word_of(one.attested.as_ref(), zone),
    ]
}

/// A heading and a table; nothing where there is no row.
fn section(heading: &str, headings: &[&str], rows: &[Vec<String>]) -> Option<String> {
    (!rows.is_empty()).then(|| format!("{}\n{}", styled(HEAD, heading), table(headings, rows)))
}
