//! Retention: the oldest links are cut off, and a link says what was cut. Only a prefix ever goes, only
//! one that is whole, and never without its seal: both are in one transaction.

use rusqlite::{Connection, OptionalExtension, params};
use stint_policy::Retention;
use stint_proto::{Event, Timestamp};
use stint_record::{Fault, Head, Verifier, rows};

use super::chain_rows;
use crate::record::{Cut, Entry};

/// What of floods is no link yet (`floods`), where the chain begins, and what the next cut is of
/// (`too_old`).
pub(super) const MIGRATION: &str = "
    CREATE TABLE floods (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        event TEXT NOT NULL,
        message TEXT NOT NULL,
        fields TEXT NOT NULL
    ) STRICT;
    ALTER TABLE chain ADD COLUMN cut INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE chain ADD COLUMN cut_hash BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
    CREATE TABLE too_old (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        keep INTEGER NOT NULL
    ) STRICT;";

/// How long a link that is too old stays: what a look finds is cut by a look a day later, so that a
/// clock that is far ahead for an hour, or a slip in the policy, costs nothing.
const DAY_MICROS: i64 = 86_400_000_000;
/// How many links are cut at a time: few enough that no change waits long for it.
const LINKS: i64 = 10_000;
/// How many of them are read at a time.
const PAGE: u32 = 1_000;

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Up to this link all are to be cut off now.
    Cut(i64),
    /// Nothing is, for so long (in microseconds).
    Later(i64),
}

/// Looks for what is too old.
pub(super) fn look(
    connection: &Connection,
    head: Head,
    keep: Retention,
    now: Timestamp,
) -> rusqlite::Result<Look> {
    let cut = rows::cut(connection)?;
    let found: Option<(i64, i64)> = connection
        .query_row("SELECT seq, at FROM too_old WHERE keep = ?1", [keep.micros()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    if let Some((seq, at)) = found {
        let age = now.micros().saturating_sub(at);
        if (0..DAY_MICROS).contains(&age) {
            return Ok(Look::Later(DAY_MICROS.saturating_sub(age)));
        }
        if age >= DAY_MICROS && seq > cut.seq {
            return Ok(Look::Cut(seq.min(cut.seq.saturating_add(LINKS))));
        }
    }
    let oldest_kept = now.micros().saturating_sub(keep.micros());
    let first_kept: Option<(i64, i64)> = connection
        .query_row(
            "SELECT seq, at FROM record WHERE at >= ?1 ORDER BY seq LIMIT 1",
            [oldest_kept],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let last_old = first_kept.map_or(head.seq, |(first, _)| first.saturating_sub(1));
    if let Some((seq, at)) = first_kept
        && at > now.micros().saturating_add(DAY_MICROS)
    {
        eprintln!(
            "stintd: the record is kept from link {seq} on, however old: that link says that it is of \
             {}, which is to come",
            Timestamp(at)
        );
    }
    connection.execute(
        "INSERT OR REPLACE INTO too_old VALUES (1, ?1, ?2, ?3)",
        params![last_old, now.micros(), keep.micros()],
    )?;
    Ok(Look::Later(DAY_MICROS))
}

/// Cuts off every link up to this one. Returns where the chain ends then, and its seal; or what is
/// wrong with what should be cut, and then nothing is: it would be gone with the traces.
pub(super) fn cut(
    connection: &Connection,
    boot_id: &str,
    head: Head,
    to: i64,
    (keep, now): (Retention, Timestamp),
) -> rusqlite::Result<Result<(Head, Entry), Fault>> {
    let cut = rows::cut(connection)?;
    let (last, since, until) = match verify(connection, cut, to)? {
        Ok(whole) => whole,
        Err(fault) => return Ok(Err(fault)),
    };
    let first = cut.seq.saturating_add(1);
    let text = format!("links {first} to {to} of {since} to {until} were cut off: {keep} are kept");
    let mut entry = Entry::new(now, Event::AuditCut, text);
    entry.actor = Some("policy".to_owned());
    entry.checkpoint = Some(last);
    entry.cut = Some(Cut { first, since, until });
    let head = chain_rows::add(connection, boot_id, head, &entry)?;
    chain_rows::put_head(connection, head)?;
    // What is cut is not to be found in the file either.
    connection.pragma_update(None, "secure_delete", true)?;
    let gone = connection.execute("DELETE FROM record WHERE seq <= ?1", [to]);
    connection.pragma_update(None, "secure_delete", false)?;
    gone?;
    connection.execute("UPDATE chain SET cut = ?1, cut_hash = ?2", params![last.seq, last.hash])?;
    Ok(Ok((head, entry)))
}

/// Walks the links after `cut` up to this one: the last, and from when the first and the last are.
fn verify(
    connection: &Connection,
    cut: Head,
    to: i64,
) -> rusqlite::Result<Result<(Head, Timestamp, Timestamp), Fault>> {
    let mut verifier = Verifier::after(cut, []);
    let (mut since, mut until) = (None, Timestamp(0));
    let mut after = i64::MIN;
    while verifier.head().seq < to {
        let page = rows::page(connection, after, Timestamp(i64::MIN), PAGE)?;
        for link in page.links.iter().filter(|link| link.seq <= to) {
            if let Err(fault) = verifier.take(link) {
                return Ok(Err(fault));
            }
            since = since.or(Some(link.at));
            until = link.at;
        }
        match page.next {
            Some(next) if next < to => after = next,
            _ => break,
        }
    }
    let last = verifier.head();
    if last.seq < to {
        return Ok(Err(Fault::Truncated { last: last.seq, known: to }));
    }
    Ok(Ok((last, since.unwrap_or(until), until)))
}
