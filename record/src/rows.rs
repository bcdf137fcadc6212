//! Links in the state's file. What somebody else has put there is read as far as it can be, never
//! refused: it is for the verifier to say that it is wrong.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_proto::{Link, Timestamp};

use crate::{Head, START};

/// A run of links.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Those that were asked for.
    pub links: Vec<Link>,
    /// The last that was looked at; none where nothing is left.
    pub next: Option<i64>,
}

/// How many bytes of text one page holds, about.
const PAGE_BYTES: usize = 512 * 1_024;

/// The links after `after` that are not older than `since`, in the order of their numbers, of the
/// next `limit`; fewer where they are long.
///
/// # Errors
/// When the file cannot be read, or is no state of stint with a chain.
pub fn page(
    connection: &Connection,
    after: i64,
    since: Timestamp,
    limit: u32,
) -> rusqlite::Result<Page> {
    let mut statement = connection.prepare(
        "SELECT seq, at, boot_id, event, message, fields, hash FROM record
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, limit])?;
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        page.next = Some(row.get(0)?);
        if row.get::<_, i64>(1)? < since.micros() {
            continue;
        }
        let link = read(row)?;
        bytes += link.message.len() + link.fields.len();
        page.links.push(link);
        if bytes > PAGE_BYTES {
            break;
        }
    }
    Ok(page)
}

/// The end of the chain, as the state has it beside the links; none where that row is gone.
///
/// # Errors
/// When the file cannot be read, or is no state of stint with a chain.
pub fn head(connection: &Connection) -> rusqlite::Result<Option<Head>> {
    let row = connection
        .query_row("SELECT seq, hash FROM chain", [], |row| Ok((row.get(0)?, bytes(row, 1)?)));
    Ok(row.optional()?.and_then(|(seq, hash)| Some(Head { seq, hash: hash.try_into().ok()? })))
}

/// The last link that was cut off, as the state has it beside the links; that of an empty chain where
/// none was.
///
/// # Errors
/// As [`head`].
pub fn cut(connection: &Connection) -> rusqlite::Result<Head> {
    let mut statement = connection.prepare("SELECT * FROM chain")?;
    let (Ok(seq), Ok(hash)) = (statement.column_index("cut"), statement.column_index("cut_hash"))
    else {
        // A state of before there were cuts.
        return Ok(Head::EMPTY);
    };
    let row = statement.query_row([], |row| Ok((row.get(seq)?, bytes(row, hash)?))).optional()?;
    Ok(row.map_or(Head::EMPTY, |(seq, hash): (i64, Vec<u8>)| Head {
        seq,
        hash: hash.try_into().unwrap_or(START),
    }))
}

/// The number of the last link that there is.
///
/// # Errors
/// As [`head`].
pub fn last(connection: &Connection) -> rusqlite::Result<Head> {
    let sql = "SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1";
    let found =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, bytes(row, 1)?))).optional()?;
    Ok(found.map_or(Head::EMPTY, |(seq, hash): (i64, Vec<u8>)| Head {
        seq,
        hash: hash.try_into().unwrap_or(START),
    }))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Link> {
    Ok(Link {
        seq: row.get(0)?,
        at: Timestamp(row.get(1)?),
        boot_id: text(row, 2)?,
        event: text(row, 3)?,
        message: text(row, 4)?,
        fields: text(row, 5)?,
        hash: bytes(row, 6)?,
    })
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<u8>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Vec::new(),
    })
}

/// No text of stint's own has a NUL in it, which the bus could not carry, or is not UTF-8.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let text = bytes(row, column)?;
    Ok(String::from_utf8_lossy(&text).replace('\0', "\u{fffd}"))
}
