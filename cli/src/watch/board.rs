//! The two tables of the board as lines that fit the screen, each with what it means for its looks.

use stint_proto::{Grant, Request};

use super::columns::{Column, lay};
use super::fit::{cut, fill, width};
use super::model::{Model, Of, Part, Scope};
use super::page::page;
use crate::look::grants::{Here, given_by, left, opened};
use crate::look::times::length;

/// How a line looks where there are looks; the text says it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it is.
    Plain,
    /// It heads something.
    Head,
    /// The chosen row.
    Chosen,
    /// It ends soon, or is to be noted.
    Odd,
    /// Something is wrong.
    Bad,
}

/// A line of the screen.
pub type Line = (String, Kind);

/// From here on a grant ends soon, in microseconds.
const SOON: i64 = 5 * 60 * 1_000_000;
/// The cells of the bar.
const BAR: u16 = 10;
/// The lines that belong to neither part: the title, what is wrong, the keys.
const FRAME: usize = 3;
const KEYS: &str = "a approve  d deny  Enter details  Tab part  ? help  q quit  j/k move";

const REQUESTS: [Column; 8] = [
    Column { head: "ID", most: 16, rank: 0 },
    Column { head: "USER", most: 16, rank: 0 },
    Column { head: "ROLE", most: 20, rank: 1 },
    Column { head: "FOR", most: 14, rank: 3 },
    Column { head: "FROM", most: 16, rank: 5 },
    Column { head: "WAITING", most: 10, rank: 6 },
    Column { head: "APPROVALS", most: 9, rank: 4 },
    Column { head: "REASON", most: 0, rank: 7 },
];

const GRANTS: [Column; 7] = [
    Column { head: "USER", most: 16, rank: 0 },
    Column { head: "ROLE", most: 20, rank: 1 },
    Column { head: "OPENS", most: 28, rank: 4 },
    Column { head: "LEFT", most: 10, rank: 2 },
    Column { head: "", most: 10, rank: 6 },
    Column { head: "ENDS", most: 16, rank: 3 },
    Column { head: "APPROVED BY", most: 0, rank: 5 },
];

/// The whole screen: as many lines as it has, none wider than it is.
pub fn screen(model: &Model) -> Vec<Line> {
    let (wide, high) = (usize::from(model.size.0), usize::from(model.size.1));
    let mut lines = Vec::new();
    let title = format!("stint on {}", model.title);
    let clock = model.here.clock(model.here.now);
    let room = wide.saturating_sub(width(&clock) + 1);
    lines.push((format!("{} {clock}", fill(&title, room)), Kind::Head));
    match page(model) {
        Some(page) => {
            let body = high.saturating_sub(4);
            lines.push((page.title, Kind::Head));
            let shown = page.lines.iter().skip(model.top).take(body);
            lines.extend(shown.map(|line| (format!("  {line}"), Kind::Plain)));
            lines.resize(body + 2, (String::new(), Kind::Plain));
            lines.push((page.note, Kind::Odd));
            lines.push((page.keys, Kind::Head));
        }
        None => board(model, wide, high, &mut lines),
    }
    lines.truncate(high);
    lines.into_iter().map(|(text, kind)| (cut(&text, wide), kind)).collect()
}

fn board(model: &Model, wide: usize, high: usize, lines: &mut Vec<Line>) {
    let (requests, grants) = (model.requests(), model.grants());
    let both = high.saturating_sub(FRAME);
    let needs = |rows: usize| rows.max(1) + 3;
    let upper = needs(requests.len()).min((both / 2).max(both.saturating_sub(needs(grants.len()))));
    let waits = model.snapshot.is_none();
    let (waiting, none_pending) = match model.scope {
        Scope::Host => ("Waiting for stintd.", "No request is pending for you."),
        Scope::Fleet => ("Waiting for the store.", "No request is pending."),
    };
    let (request_columns, grant_columns) = (columns(model, &REQUESTS), columns(model, &GRANTS));
    let asked: Vec<_> = requests.iter().map(|row| request_row(row, &model.here)).collect();
    let held: Vec<_> = grants.iter().map(|row| grant_row(row, &model.here)).collect();
    let here = |part| model.part == part;
    lines.extend(part(
        &Table {
            name: "Pending requests",
            none: if waits { waiting } else { none_pending },
            columns: &request_columns,
            rows: &asked,
            odd: &[],
            chosen: here(Part::Requests).then(|| model.request.at()),
        },
        wide,
        upper,
    ));
    let soon: Vec<bool> =
        grants.iter().map(|row| row.expires_at.micros_since(model.here.now) < SOON).collect();
    lines.extend(part(
        &Table {
            name: "Running grants",
            none: if waits { waiting } else { "No grant is running." },
            columns: &grant_columns,
            rows: &held,
            odd: &soon,
            chosen: here(Part::Grants).then(|| model.grant.at()),
        },
        wide,
        both.saturating_sub(upper),
    ));
    lines.push((wrong(model), Kind::Bad));
    lines.push((KEYS.to_owned(), Kind::Head));
}

/// These columns, after one for the host where there are several.
fn columns(model: &Model, columns: &[Column]) -> Vec<Column> {
    let host = Column { head: "HOST", most: 24, rank: 1 };
    let host = (model.scope == Scope::Fleet).then_some(host);
    host.into_iter().chain(columns.iter().copied()).collect()
}

/// Why the board may not be what is, or what is not on it; empty if it is and all is.
fn wrong(model: &Model) -> String {
    match (&model.away, &model.snapshot) {
        (None, None) => String::new(),
        (None, Some(snapshot)) => snapshot.note.clone(),
        (Some(why), None) => why.clone(),
        (Some(why), Some(_)) => format!("As of {}: {why}", model.here.clock(model.as_of)),
    }
}

/// A part of the board.
struct Table<'a> {
    name: &'a str,
    none: &'a str,
    columns: &'a [Column],
    rows: &'a [Vec<String>],
    odd: &'a [bool],
    /// The chosen row, in the part in which keys move.
    chosen: Option<usize>,
}

/// A part in exactly `high` lines, the last of them blank; the chosen row is among those shown.
fn part(table: &Table<'_>, wide: usize, high: usize) -> Vec<Line> {
    let room = high.saturating_sub(3);
    let count = table.rows.len();
    let first = table.chosen.map_or(0, |at| (at + 1).saturating_sub(room));
    let mut name = format!("{}: {count}", table.name);
    if count > room && room > 0 {
        name = format!("{name}, shown {}-{}", first + 1, (first + room).min(count));
    }
    let name = if table.chosen.is_some() { format!("[{name}]") } else { format!(" {name}") };
    let (heads, rows) = lay(table.columns, table.rows, wide.saturating_sub(2));
    let mut lines = vec![(name, Kind::Head)];
    if rows.is_empty() {
        lines.push((format!("  {}", table.none), Kind::Plain));
    } else {
        lines.push((format!("  {heads}"), Kind::Head));
    }
    for (at, row) in rows.iter().enumerate().skip(first).take(room) {
        let chosen = table.chosen == Some(at);
        let odd = table.odd.get(at).copied().unwrap_or(false);
        let kind = match (chosen, odd) {
            (true, _) => Kind::Chosen,
            (false, true) => Kind::Odd,
            (false, false) => Kind::Plain,
        };
        lines.push((format!("{} {row}", if chosen { '>' } else { ' ' }), kind));
    }
    lines.resize(high, (String::new(), Kind::Plain));
    lines
}

fn request_row(request: &Of<Request>, here: &Here) -> Vec<String> {
    let (duration, from) = match (&request.extends, request.starts_at) {
        (Some(grant), _) => (format!("{} more", request.duration), format!("end of {grant}")),
        (None, Some(time)) => (request.duration.to_string(), here.clock(time)),
        (None, None) => (request.duration.to_string(), "now".to_owned()),
    };
    let cells = vec![
        request.id.to_string(),
        request.user.to_string(),
        request.role.to_string(),
        duration,
        from,
        length(here.now.micros_since(request.created_at)),
        format!("{} of {}", request.approvals.len(), request.approvals_needed),
        request.reason.clone(),
    ];
    request.host.iter().cloned().chain(cells).collect()
}

fn grant_row(grant: &Of<Grant>, here: &Here) -> Vec<String> {
    let cells = vec![
        grant.user.to_string(),
        grant.role.to_string(),
        opened(grant),
        left(grant, here),
        bar(grant, here),
        here.clock(grant.expires_at),
        given_by(grant),
    ];
    grant.host.iter().cloned().chain(cells).collect()
}

/// What is left of the whole time; a part of a cell that has begun counts.
fn bar(grant: &Grant, here: &Here) -> String {
    let whole = grant.expires_at.micros_since(grant.starts_at).max(1);
    let left = grant.expires_at.micros_since(here.now).clamp(0, whole);
    let cells = i64::from(BAR);
    let full = left.saturating_mul(cells).saturating_add(whole - 1) / whole;
    let full = usize::try_from(full.clamp(0, cells)).unwrap_or(0);
    "█".repeat(full) + &"░".repeat(usize::from(BAR).saturating_sub(full))
}
