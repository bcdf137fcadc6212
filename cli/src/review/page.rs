//! The access review as one page that needs nothing else: no script, no picture, no letter from
//! elsewhere. askama escapes what people typed; what would turn or hide text is taken out before.

use askama::Template;
use stint_policy::text::harmless;
use stint_proto::{GrantState, Origin, ReviewedGrant, Timestamp};

use super::model::Review;
use super::text;
use super::timeline::{Timeline, timeline};
use crate::look::grants::{Here, given_by};
use crate::look::residue::in_a_line;
use crate::look::times::length;

/// How many grants the page lists: the newest.
const GRANTS: usize = 5_000;
/// What stands where there is nothing to say.
const NOTHING: &str = "–";

#[derive(Template)]
#[template(path = "review.html")]
struct Page {
    host: String,
    from: Cell,
    until: Cell,
    made: Cell,
    version: &'static str,
    gaps: Vec<String>,
    numbers: Vec<(String, &'static str)>,
    timeline: Timeline,
    /// What asks for a decision.
    findings: Vec<Section>,
    /// What there was.
    facts: Vec<Section>,
    often: u32,
}

/// A part of the page: a heading, a word on it, and a table.
struct Section {
    id: &'static str,
    heading: &'static str,
    /// How much there is, for the contents.
    count: usize,
    words: Vec<String>,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Section {
    /// Whether it holds long texts.
    fn is_wide(&self) -> bool {
        self.rows.first().is_some_and(|row| row.iter().any(|cell| cell.class == "long"))
    }

    /// How the heading of a column is set: as what stands below it.
    fn class_of(&self, column: &usize) -> &'static str {
        let cell = self.rows.first().and_then(|row| row.get(*column));
        cell.map(|cell| cell.class).filter(|class| *class == "number").unwrap_or_default()
    }
}

/// What stands in a cell.
struct Cell {
    text: String,
    /// The exact time, where it is one.
    iso: String,
    class: &'static str,
}

/// The page.
///
/// # Errors
/// When it could not be put together, which is a fault of the program.
pub fn page(review: &Review, here: &Here) -> askama::Result<String> {
    let counts = review.counts;
    let numbers = vec![
        (review.total.to_string(), "grants"),
        (review.holders().to_string(), "people who held one"),
        (length(review.held()), "held altogether"),
        (review.active().to_string(), "run now"),
        (counts.allowed.to_string(), "times let in"),
        (counts.denied.to_string(), "times turned away"),
        (counts.requested.to_string(), "requests"),
        (counts.refused.to_string(), "requests denied"),
        (counts.policies.to_string(), "policies loaded"),
    ];
    let mut findings = Vec::new();
    findings.extend(unused(review, here));
    findings.extend(often(review));
    findings.extend(emergencies(review, here));
    findings.extend(residue(review, here));
    findings.extend(outside(review, here));
    Page {
        host: harmless(&review.host),
        from: time(review.period.from, here),
        until: time(review.period.until, here),
        made: time(here.now, here),
        version: env!("CARGO_PKG_VERSION"),
        gaps: text::gaps(review, &here.zone),
        numbers: with_oddities(numbers, review),
        timeline: timeline(review, &here.zone),
        findings,
        facts: vec![holders(review, here), grants(review, here), eligible(review, here)],
        often: review.often,
    }
    .render()
}

/// What should be nothing is counted only where it is not.
fn with_oddities(
    mut numbers: Vec<(String, &'static str)>,
    review: &Review,
) -> Vec<(String, &'static str)> {
    let counts = review.counts;
    for (count, what) in [
        (counts.observed, "let in as the gate only observes"),
        (counts.gaps, "times that the log lost events"),
    ] {
        if count > 0 {
            numbers.push((count.to_string(), what));
        }
    }
    numbers
}

fn cell(text: impl AsRef<str>) -> Cell {
    let text = harmless(text.as_ref());
    let text = if text.is_empty() { NOTHING.to_owned() } else { text };
    Cell { text, iso: String::new(), class: "" }
}

fn code(text: impl AsRef<str>) -> Cell {
    Cell { class: "code", ..cell(text) }
}

fn number(text: impl ToString) -> Cell {
    Cell { class: "number", ..cell(text.to_string()) }
}

fn long(text: impl AsRef<str>) -> Cell {
    Cell { class: "long", ..cell(text) }
}

fn warn(text: impl AsRef<str>) -> Cell {
    Cell { class: "warn", ..cell(text) }
}

fn time(time: Timestamp, here: &Here) -> Cell {
    Cell { text: text::stamp(time, &here.zone), iso: time.to_string(), class: "time" }
}

/// A part of the page; nothing where it has no row.
fn some(section: Section) -> Option<Section> {
    (!section.rows.is_empty()).then_some(section)
}

fn unused(review: &Review, here: &Here) -> Option<Section> {
    let entries = review.unused().into_iter().map(|entry| (entry, true));
    let entries = entries.chain(review.partly_used().into_iter().map(|entry| (entry, false)));
    let rows: Vec<_> = entries
        .map(|(entry, whole)| {
            vec![
                cell(&entry.who),
                cell(entry.role.as_str()),
                long(text::usage(review, entry)),
                if whole { long(text::mend(entry)) } else { cell("") },
                long(text::word_of(entry.attested.as_ref(), &here.zone)),
            ]
        })
        .collect();
    some(Section {
        id: "unused",
        heading: "Eligible, and not used",
        count: rows.len(),
        words: vec![
            "Who may ask for a role and never did in this time does not need it, or not yet. \
             Members of a group that others of it use are named too. After a change of the policy: \
             stint reload."
                .to_owned(),
        ],
        columns: vec!["Who", "Role", "Not used", "To remove it", "Last word"],
        rows,
    })
}

fn often(review: &Review) -> Option<Section> {
    let rows: Vec<_> = review
        .too_often()
        .into_iter()
        .map(|(user, role, pair)| {
            vec![
                cell(user.as_str()),
                cell(role.as_str()),
                number(pair.most),
                number(pair.grants),
                number(length(pair.held)),
                number(text::share(pair.held, review)),
            ]
        })
        .collect();
    some(Section {
        id: "often",
        heading: "Taken often",
        count: rows.len(),
        words: vec![text::why_often(review.often)],
        columns: vec!["Who", "Role", "In 7 days", "In all", "Held", "Of the time"],
        rows,
    })
}

fn emergencies(review: &Review, here: &Here) -> Option<Section> {
    let rows: Vec<_> = review
        .emergencies()
        .into_iter()
        .rev()
        .map(|one| {
            let grant = &one.grant;
            let looked = match text::reviewed(one, &here.zone) {
                Some(looked) => long(looked),
                None => warn(format!("nobody yet: stint review {} --note TEXT", grant.id)),
            };
            vec![
                code(grant.id.as_str()),
                cell(grant.user.as_str()),
                cell(grant.role.as_str()),
                time(grant.starts_at, here),
                long(&grant.reason),
                looked,
            ]
        })
        .collect();
    let awaited = review.unreviewed();
    let words = match awaited {
        0 => "Taken with nobody's approval; each was looked at by somebody else.".to_owned(),
        more => format!("Taken with nobody's approval. Not looked at by anybody else yet: {more}."),
    };
    some(Section {
        id: "break-glass",
        heading: "Uses of break-glass roles",
        count: rows.len(),
        words: vec![words],
        columns: vec!["Grant", "Who", "Role", "From", "Reason", "Reviewed by"],
        rows,
    })
}

fn residue(review: &Review, here: &Here) -> Option<Section> {
    let rows: Vec<_> = review
        .with_residue()
        .into_iter()
        .rev()
        .map(|one| {
            let grant = &one.grant;
            vec![
                code(grant.id.as_str()),
                cell(grant.user.as_str()),
                cell(grant.role.as_str()),
                time(grant.starts_at, here),
                long(grant.residue.as_ref().map(in_a_line).unwrap_or_default()),
            ]
        })
        .collect();
    some(Section {
        id: "residue",
        heading: "Changed while a grant was held",
        count: rows.len(),
        words: vec![
            "By whomever: stint sees what changed where privileges are kept, not who changed it."
                .to_owned(),
        ],
        columns: vec!["Grant", "Who", "Role", "From", "What"],
        rows,
    })
}

fn outside(review: &Review, here: &Here) -> Option<Section> {
    let rows: Vec<_> = review
        .outside
        .iter()
        .rev()
        .map(|one| vec![time(one.at, here), code(&one.event), long(&one.message), number(one.link)])
        .collect();
    let mut words =
        vec!["Memberships, sudo rules and accounts that somebody changed by hand.".to_owned()];
    if review.more_outside > 0 {
        words.push(format!("{} more before that are in the record.", review.more_outside));
    }
    some(Section {
        id: "outside",
        heading: "Changed outside stint",
        count: rows.len(),
        words,
        columns: vec!["When", "Event", "What", "Link"],
        rows,
    })
}

fn holders(review: &Review, here: &Here) -> Section {
    let rows: Vec<_> = review
        .pairs
        .iter()
        .map(|((user, role), pair)| {
            vec![
                cell(user.as_str()),
                cell(role.as_str()),
                number(pair.grants),
                number(length(pair.held)),
                number(text::share(pair.held, review)),
                pair.last.map_or_else(|| cell(""), |at| time(at, here)),
            ]
        })
        .collect();
    Section {
        id: "holders",
        heading: "Who held what",
        count: rows.len(),
        words: Vec::new(),
        columns: vec!["Who", "Role", "Grants", "Held", "Of the time", "Last"],
        rows,
    }
}

fn grants(review: &Review, here: &Here) -> Section {
    let rows: Vec<_> = review.grants().rev().take(GRANTS).map(|one| grant(one, here)).collect();
    let listed = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let words = match review.total.saturating_sub(listed) {
        0 => Vec::new(),
        more => vec![format!("{more} older ones are counted above and not listed here.")],
    };
    Section {
        id: "grants",
        heading: "Grants, the newest first",
        count: rows.len(),
        words,
        columns: vec!["Grant", "Who", "Role", "From", "Until", "End", "By", "Why", "Last word"],
        rows,
    }
}

fn grant(one: &ReviewedGrant, here: &Here) -> Vec<Cell> {
    let grant = &one.grant;
    let end = match (grant.state, grant.end_reason) {
        (GrantState::Ended, Some(how)) => how.to_string(),
        (state, _) => state.to_string(),
    };
    let by = match (one.approvals.as_slice(), grant.origin) {
        ([], Origin::BreakGlass) => "nobody: break-glass".to_owned(),
        ([], _) => given_by(grant),
        (approvals, _) => {
            let told = approvals.iter().map(|given| {
                let note =
                    given.note.as_deref().map_or_else(String::new, |note| format!(": {note}"));
                format!("{} {}{note}", given.user, text::stamp(given.at, &here.zone))
            });
            told.collect::<Vec<_>>().join("; ")
        }
    };
    let why = match &grant.ticket {
        Some(ticket) => format!("{ticket}: {}", grant.reason),
        None => grant.reason.clone(),
    };
    vec![
        code(grant.id.as_str()),
        cell(grant.user.as_str()),
        cell(grant.role.as_str()),
        time(grant.starts_at, here),
        time(grant.ended_at.unwrap_or(grant.expires_at), here),
        cell(end),
        Cell { class: "people", ..cell(by) },
        long(why),
        long(text::word_of(one.attested.as_ref(), &here.zone)),
    ]
}

fn eligible(review: &Review, here: &Here) -> Section {
    let rows: Vec<_> = review
        .eligible
        .iter()
        .map(|entry| {
            let (used, _) = review.users_of(entry);
            let words = entry.users.iter().filter_map(|one| {
                let word = one.attested.as_ref()?;
                let name = (word.who != entry.who).then(|| format!("{}: ", one.user));
                name.map(|name| name + &text::word_of(Some(word), &here.zone))
            });
            let word = text::word_of(entry.attested.as_ref(), &here.zone);
            let words: Vec<_> =
                Some(word).filter(|word| !word.is_empty()).into_iter().chain(words).collect();
            let users = match entry.known {
                Some(true) => {
                    let users = entry.users.iter().map(|one| one.user.as_str());
                    users.collect::<Vec<_>>().join(", ")
                }
                _ => text::usage(review, entry),
            };
            vec![
                cell(&entry.who),
                cell(entry.role.as_str()),
                long(users),
                number(used.len()),
                code(format!("{}:{}", entry.path, entry.line)),
                long(words.join("; ")),
            ]
        })
        .collect();
    Section {
        id: "eligible",
        heading: "Who is eligible now",
        count: rows.len(),
        words: vec![
            "By the policy in force when this was made. Whom a group of a directory has is listed \
             as far as the directory tells."
                .to_owned(),
        ],
        columns: vec!["Who", "Role", "Accounts", "Used it", "Policy", "Last word"],
        rows,
    }
}
