//! The record's chain in the state: where it ends, and each new link after it.

use rusqlite::{Connection, params};
use stint_proto::{Link, RecordPage, Timestamp};
use stint_record::{Head, digest, rows};

use crate::record::{Entry, harmless};

/// The hash of each link, and the end of the chain, so that its own end is missed where it is cut
/// off.
pub(super) const MIGRATION: &str = "
    ALTER TABLE record ADD COLUMN hash BLOB;
    CREATE TABLE chain (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        seq INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;";

/// How many links are read at a time: few enough that no change waits long for it.
const PAGE: u32 = 1_000;

/// Makes links of events that were recorded before there was a chain.
pub(super) fn link_all(connection: &Connection) -> rusqlite::Result<()> {
    let mut head = Head::EMPTY;
    let mut after = i64::MIN;
    loop {
        let page = rows::page(connection, after, Timestamp(i64::MIN), PAGE)?;
        let Some(next) = page.next else { break };
        for link in &page.links {
            head = Head { seq: link.seq, hash: digest(&head.hash, link) };
            connection
                .prepare_cached("UPDATE record SET hash = ?2 WHERE seq = ?1")?
                .execute(params![head.seq, head.hash])?;
        }
        after = next;
    }
    put_head(connection, head)
}

/// Where the chain ends; by its last link, if what the state says of it is gone.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    rows::head(connection)?.map_or_else(|| rows::last(connection), Ok)
}

/// Writes where the chain ends.
pub(super) fn put_head(connection: &Connection, head: Head) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO chain (one, seq, hash) VALUES (1, ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
        )?
        .execute(params![head.seq, head.hash])
        .map(drop)
}

/// An event as a link that has no number and no hash yet.
pub(super) fn unnumbered(boot_id: &str, entry: &Entry) -> Link {
    let fields: serde_json::Map<String, serde_json::Value> =
        entry.fields().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut message = harmless(&entry.message).into_owned();
    if let Some(repeated) = entry.repeated {
        message.push_str(&match repeated.count {
            1 => " (once more)".to_owned(),
            count => format!(" ({count} times more)"),
        });
    }
    Link {
        seq: 0,
        at: entry.at,
        boot_id: boot_id.to_owned(),
        event: entry.event.as_str().to_owned(),
        message,
        fields: serde_json::Value::Object(fields).to_string(),
        hash: Vec::new(),
    }
}

/// Adds an event to a chain that ends there. Returns where it ends then.
pub(super) fn add(
    connection: &Connection,
    boot_id: &str,
    head: Head,
    entry: &Entry,
) -> rusqlite::Result<Head> {
    append(connection, head, unnumbered(boot_id, entry))
}

/// Gives a link its number and its hash, after a chain that ends there, and adds it. Returns where
/// the chain ends then.
///
/// Where somebody else has put links behind the end, their numbers are left alone: the chain goes
/// on after them from its own end, and the verifier finds the place.
pub(super) fn append(
    connection: &Connection,
    head: Head,
    mut link: Link,
) -> rusqlite::Result<Head> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM record")?
        .query_row([], |row| row.get(0))?;
    link.seq = head.seq.max(last.unwrap_or(0)).saturating_add(1);
    let hash = digest(&head.hash, &link);
    connection
        .prepare_cached(
            "INSERT INTO record (seq, at, boot_id, event, message, fields, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            link.seq,
            link.at.micros(),
            link.boot_id,
            link.event,
            link.message,
            link.fields,
            hash,
        ])?;
    Ok(Head { seq: link.seq, hash })
}

/// A page of links, as it is sent.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    since: Timestamp,
) -> rusqlite::Result<RecordPage> {
    let page = rows::page(connection, after, since, PAGE)?;
    let (head, cut) = (head(connection)?, rows::cut(connection)?);
    Ok(RecordPage {
        links: page.links,
        next: page.next,
        cut: (cut.seq > 0).then_some(cut.seq),
        cut_hash: (cut.seq > 0).then(|| cut.hash.to_vec()),
        head: head.seq,
        head_hash: head.hash.to_vec(),
    })
}
