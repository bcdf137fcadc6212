//! Since when each standing privilege is known: rows to values and back.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};
use stint_proto::Timestamp;

/// The table.
pub(super) const MIGRATION: &str = "
    CREATE TABLE standing (
        key TEXT PRIMARY KEY,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// What is there now, by its key. What is not is forgotten, unless something could not be looked at:
/// what comes again is known since then.
pub(super) fn seen(
    connection: &Connection,
    at: Timestamp,
    keys: &BTreeSet<String>,
    all: bool,
) -> rusqlite::Result<()> {
    let mut put = connection.prepare_cached(
        "INSERT INTO standing VALUES (?1, ?2, ?2)
         ON CONFLICT (key) DO UPDATE SET last_seen = max(last_seen, ?2)",
    )?;
    for key in keys {
        put.execute(params![key, at.micros()])?;
    }
    if all {
        connection.execute("DELETE FROM standing WHERE last_seen < ?1", [at.micros()])?;
    }
    Ok(())
}

/// Since when each is known.
pub(super) fn since(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Timestamp>> {
    let mut statement = connection.prepare("SELECT key, first_seen FROM standing")?;
    let rows =
        statement.query_map([], |row| Ok((row.get(0)?, Timestamp::from_micros(row.get(1)?))))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_and_comes_again_is_new_unless_it_was_only_not_seen() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATION).unwrap();
        let at = |at, keys: &[&str], all| {
            let keys = keys.iter().map(ToString::to_string).collect();
            seen(&connection, Timestamp::from_micros(at), &keys, all).unwrap();
            since(&connection)
                .unwrap()
                .into_iter()
                .map(|(k, t)| (k, t.micros()))
                .collect::<Vec<_>>()
        };
        let pair = |key: &str, at| (key.to_owned(), at);
        assert_eq!(at(1, &["a", "b"], true), [pair("a", 1), pair("b", 1)]);
        assert_eq!(at(2, &["b"], false), [pair("a", 1), pair("b", 1)]);
        assert_eq!(at(3, &["b", "c"], true), [pair("b", 1), pair("c", 3)]);
        assert_eq!(at(4, &["a", "b"], true), [pair("a", 4), pair("b", 1)]);
    }
}
