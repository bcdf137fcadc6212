//! Asks the daemon for what a review is made of, page by page. Judges nothing.

use std::io::IsTerminal;

use stint_proto::{EligibleEntry, GrantsPage, RecordPage, Status, Timestamp};

use super::model::{Period, Review};
use crate::bus::Line;
use crate::failure::Failure;
use crate::out;

/// Reads everything of that time.
///
/// # Errors
/// When the daemon cannot be reached, or the caller may not read the record.
pub fn gather(period: Period, often: u32) -> Result<Review, Failure> {
    let line = Line::open()?;
    // First, as it is for readers alone: whoever may not is told at once.
    let eligible: Vec<EligibleEntry> = line.call("Eligible", &())?;
    let status: Status = line.call("Status", &())?;
    let mut review = Review::new(status.host, period, often);
    review.eligible = eligible;
    record(&line, &mut review)?;
    grants(&line, &mut review)?;
    Ok(review)
}

fn grants(line: &Line, review: &mut Review) -> Result<(), Failure> {
    let (mut at, mut id) = (Timestamp(i64::MIN), String::new());
    loop {
        let asked = (review.period.from, (at, id.as_str()));
        let page: GrantsPage = line.call("GrantsSince", &asked)?;
        page.grants.into_iter().for_each(|grant| review.take_grant(grant));
        let (Some(next_at), Some(next_id)) = (page.next_at, page.next_id) else { return Ok(()) };
        // What begins after the period is of no interest, and nor is all that follows.
        if next_at >= review.period.until {
            return Ok(());
        }
        (at, id) = (next_at, next_id.to_string());
    }
}

fn record(line: &Line, review: &mut Review) -> Result<(), Failure> {
    let first: RecordPage = line.call("Record", &(i64::MIN, Timestamp(i64::MIN)))?;
    if let Some(first) = first.links.first() {
        review.begins = Some(first.at).filter(|at| *at > review.period.from);
        review.cut = first.seq > 1;
    }
    let mut shown = std::io::stderr().is_terminal().then(out::Progress::new);
    let mut after = i64::MIN;
    loop {
        let page: RecordPage = line.call("Record", &(after, review.period.from))?;
        page.links.iter().for_each(|link| review.take_link(link));
        let Some(next) = page.next else { return Ok(()) };
        if let Some(shown) = &mut shown {
            shown.show("Reading the record:", &format!("{next} of {} links", page.head));
        }
        after = next;
    }
}
