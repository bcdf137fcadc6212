//! The picture of a review: a lane for each role that somebody held, a bar for each grant, what was
//! approved above it and how it ended below. Numbers and harmless words alone; the page draws them.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use stint_policy::text::harmless;
use stint_proto::{EndReason, GrantState, Origin, ReviewedGrant, Timestamp};

use super::model::{Period, Review, span};
use super::text::stamp;

/// How many lanes are drawn: those with the most grants.
const LANES: usize = 60;
/// How many bars are drawn: the newest.
const BARS: usize = 3_000;
/// How many letters of a lane's name fit beside a phone's edge.
const NAME: usize = 40;
/// Heights, in pixels.
const HEAD: usize = 26;
const LANE: usize = 50;

/// The picture.
pub struct Timeline {
    /// Its height.
    pub height: usize,
    /// The days below which it is.
    pub ticks: Vec<Tick>,
    /// Its lanes, by user and role.
    pub lanes: Vec<Lane>,
    /// What is in it, for who cannot see it.
    pub described: String,
    /// What is not in it.
    pub left_out: Option<String>,
}

/// A point of the time that is marked.
pub struct Tick {
    /// Where, in percent of the width.
    pub x: String,
    /// What stands there.
    pub text: String,
    /// On which side of it.
    pub anchor: &'static str,
    /// Whether a phone does without.
    pub minor: bool,
}

/// What one person held of one role.
pub struct Lane {
    /// Whose and what.
    pub name: String,
    /// Where its name, its bars, and the marks above and below are.
    pub text_y: usize,
    pub above_y: usize,
    pub below_y: usize,
    /// Its grants.
    pub bars: Vec<Bar>,
}

/// One grant.
pub struct Bar {
    /// Where it begins, and how wide it is, in percent.
    pub x: String,
    pub width: String,
    /// Where it is in height, and how high: one for emergencies stands out without its colour.
    pub y: usize,
    pub height: usize,
    /// Where it comes from.
    pub class: &'static str,
    /// All of it, in a line.
    pub title: String,
    /// Where it was approved.
    pub approvals: Vec<String>,
    /// Where and how it ended.
    pub end: Option<(String, &'static str)>,
}

/// Where on the picture a time is, in percent, with room for marks at both edges.
fn place(time: i64, period: Period) -> f64 {
    let micros = period.micros().max(1);
    let from = time.saturating_sub(period.from.micros()).clamp(0, micros);
    1.0 + 98.0 * (from as f64) / (micros as f64)
}

fn percent(number: f64) -> String {
    format!("{number:.3}%")
}

/// Draws a review.
pub fn timeline(review: &Review, zone: &TimeZone) -> Timeline {
    let mut lanes: BTreeMap<_, Vec<&ReviewedGrant>> = BTreeMap::new();
    let drawn = review.grants().rev().filter(|one| span(one, review.period).is_some());
    let mut bars = 0;
    for one in drawn.take(BARS) {
        lanes.entry((&one.grant.user, &one.grant.role)).or_default().push(one);
        bars += 1;
    }
    let all_lanes = lanes.len();
    let mut most: Vec<_> = lanes.into_iter().collect();
    most.sort_by_key(|(_, grants)| std::cmp::Reverse(grants.len()));
    let hidden: usize = most.iter().skip(LANES).map(|(_, grants)| grants.len()).sum();
    most.truncate(LANES);
    most.sort_by_key(|(of, _)| *of);
    bars -= hidden;
    let lanes: Vec<Lane> = most
        .into_iter()
        .enumerate()
        .map(|(number, ((user, role), grants))| {
            let top = HEAD + number * LANE;
            let name: String = format!("{user}, {role}");
            let name = match name.char_indices().nth(NAME) {
                Some((at, _)) => format!("{}…", name.get(..at).unwrap_or_default()),
                None => name,
            };
            let bars = grants.into_iter().map(|one| bar(one, top, review, zone)).collect();
            Lane { name, text_y: top + 14, above_y: top + 21, below_y: top + 45, bars }
        })
        .collect();
    let shown = u64::try_from(bars).unwrap_or(u64::MAX);
    let described = format!(
        "{bars} grants in {} lanes, one for each role that somebody held, from {} to {}. The tables \
         below say the same in words.",
        lanes.len(),
        stamp(review.period.from, zone),
        stamp(review.period.until, zone)
    );
    let left_out = (shown < review.total && all_lanes > 0).then(|| {
        let more = review.total - shown;
        format!("{more} more are not drawn: not begun, older, or of who holds few.")
    });
    let height = HEAD + lanes.len() * LANE;
    Timeline { height, ticks: ticks(review.period, zone), lanes, described, left_out }
}

fn ticks(period: Period, zone: &TimeZone) -> Vec<Tick> {
    let quarter = period.micros() / 4;
    let tick = |number: i64| {
        let time = period.from.micros().saturating_add(quarter * number);
        let text = stamp(Timestamp(time), zone);
        // Of a long time the day says enough.
        let text = if quarter >= 86_400_000_000 {
            text.get(..10).unwrap_or_default().to_owned()
        } else {
            text.get(5..).unwrap_or_default().to_owned()
        };
        let anchor = match number {
            0 => "start",
            4 => "end",
            _ => "middle",
        };
        Tick { x: percent(place(time, period)), text, anchor, minor: number % 2 == 1 }
    };
    (0..=4).map(tick).collect()
}

fn bar(one: &ReviewedGrant, top: usize, review: &Review, zone: &TimeZone) -> Bar {
    let period = review.period;
    let grant = &one.grant;
    let (from, to) = span(one, period).unwrap_or((0, 0));
    let (x, end) = (place(from, period), place(to, period));
    let within = |time: i64| time >= period.from.micros() && time <= period.until.micros();
    let approvals = one.approvals.iter().map(|given| given.at.micros()).filter(|at| within(*at));
    let how = match (grant.state, grant.end_reason) {
        (GrantState::Ended, Some(EndReason::Expired)) => Some("expired"),
        (GrantState::Ended, Some(EndReason::Revoked)) => Some("revoked"),
        (GrantState::Ended, Some(EndReason::Dropped)) => Some("dropped"),
        (GrantState::Ended, Some(EndReason::Policy)) => Some("policy"),
        _ => None,
    };
    let ended = grant.ended_at.map(Timestamp::micros).filter(|at| within(*at));
    let emergency = grant.origin == Origin::BreakGlass;
    let (y, height) = if emergency { (top + 24, 16) } else { (top + 28, 8) };
    Bar {
        y,
        height,
        x: percent(x),
        width: percent(end - x),
        class: match grant.origin {
            Origin::Request => "request",
            Origin::Admin => "admin",
            Origin::Policy | Origin::Remote => "policy",
            Origin::BreakGlass => "emergency",
        },
        title: title(one, zone),
        approvals: approvals.map(|at| percent(place(at, period))).collect(),
        end: ended.zip(how).map(|(at, how)| (percent(place(at, period)), how)),
    }
}

fn title(one: &ReviewedGrant, zone: &TimeZone) -> String {
    let grant = &one.grant;
    let (from, until) = (stamp(grant.starts_at, zone), grant.ended_at.unwrap_or(grant.expires_at));
    let end = grant.end_reason.map_or_else(|| grant.state.to_string(), |how| how.to_string());
    let by = crate::look::grants::given_by(grant);
    let (id, user, role) = (&grant.id, &grant.user, &grant.role);
    let until = stamp(until, zone);
    harmless(&format!("{id}: {user}, {role}, {from} to {until}, {end}; by {by}: {}", grant.reason))
}
