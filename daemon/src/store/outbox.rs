//! Events that wait for the hooks, and how far each hook has been told. The queue's rows alone: who
//! is told, and when it is given up, is decided in `notices/`.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_proto::{Event, Timestamp};

use super::{Store, StoreError};

/// The tables. `hooks.done` is the last event that a hook has been told, or that was given up.
pub(super) const MIGRATION: &str = "CREATE TABLE outbox (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        event TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX outbox_at ON outbox (at);
    CREATE TABLE hooks (
        name TEXT PRIMARY KEY,
        done INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// An event that hooks are to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEvent {
    /// What.
    pub event: Event,
    /// What they are told: a JSON document (`notices::body`).
    pub body: String,
    /// When it happened.
    pub at: Timestamp,
}

/// A change to how far hooks have been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookWrite {
    /// This hook has been told everything up to here, or it was given up.
    Done {
        /// Which hook.
        hook: String,
        /// The last event's number.
        seq: i64,
    },
    /// This hook is no longer there.
    Gone(String),
    /// Nobody needs the events up to here any more.
    Dropped {
        /// The last event's number.
        to: i64,
    },
}

/// An event in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number: later events have higher ones.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Its name in the record.
    pub event: String,
    /// What hooks are told.
    pub body: String,
}

/// The queue as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// How many events wait for somebody.
    pub count: u64,
    /// The number of the oldest of them; 0 if there is none.
    pub first: i64,
    /// The number of the latest; 0 if there is none.
    pub last: i64,
    /// How far each known hook has been told.
    pub done: BTreeMap<String, i64>,
}

/// Puts an event into the queue, inside the caller's transaction.
pub(super) fn put(connection: &Connection, event: &OutboxEvent) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO outbox (at, event, body) VALUES (?1, ?2, ?3)")?
        .execute(params![event.at.micros(), event.event.as_str(), event.body])
        .map(drop)
}

/// Writes how far hooks have been told.
pub(super) fn write(connection: &Connection, write: &HookWrite) -> rusqlite::Result<()> {
    match write {
        HookWrite::Done { hook, seq } => connection
            .prepare_cached(
                "INSERT INTO hooks VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET done = max(done, excluded.done)",
            )?
            .execute(params![hook, seq]),
        HookWrite::Gone(hook) => {
            connection.prepare_cached("DELETE FROM hooks WHERE name = ?1")?.execute([hook])
        }
        HookWrite::Dropped { to } => {
            connection.prepare_cached("DELETE FROM outbox WHERE seq <= ?1")?.execute([to])
        }
    }
    .map(drop)
}

impl Store {
    /// The queue for hooks as it is now.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn outbox(&self) -> Result<Outbox, StoreError> {
        self.query(|connection| {
            let sql = "SELECT count(*), coalesce(min(seq), 0), coalesce(max(seq), 0) FROM outbox";
            let mut outbox = connection.query_row(sql, [], |row| {
                let count: i64 = row.get(0)?;
                Ok(Outbox {
                    count: count.unsigned_abs(),
                    first: row.get(1)?,
                    last: row.get(2)?,
                    done: BTreeMap::new(),
                })
            })?;
            let mut statement = connection.prepare_cached("SELECT name, done FROM hooks")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            outbox.done = rows.collect::<rusqlite::Result<_>>()?;
            Ok(outbox)
        })
        .await
    }

    /// The first event after this one.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn outbox_after(&self, seq: i64) -> Result<Option<OutboxRow>, StoreError> {
        let sql = "SELECT seq, at, event, body FROM outbox WHERE seq > ?1 ORDER BY seq LIMIT 1";
        self.query(move |connection| {
            connection.prepare_cached(sql)?.query_row([seq], read).optional()
        })
        .await
    }

    /// The number of the last event before this time; 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn outbox_before(&self, at: Timestamp) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM outbox WHERE at < ?1";
        self.query(move |connection| connection.query_row(sql, [at.micros()], |row| row.get(0)))
            .await
    }

    /// The number of the event that so many older ones stand before; 0 if there are not as many.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn outbox_nth(&self, older: u64) -> Result<i64, StoreError> {
        let sql = "SELECT seq FROM outbox ORDER BY seq LIMIT 1 OFFSET ?1";
        let offset = i64::try_from(older).unwrap_or(i64::MAX);
        self.query(move |connection| {
            let seq = connection.query_row(sql, [offset], |row| row.get(0)).optional()?;
            Ok(seq.unwrap_or(0))
        })
        .await
    }

    /// How many events there are after `from`, up to and with `to`.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn outbox_between(&self, from: i64, to: i64) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM outbox WHERE seq > ?1 AND seq <= ?2";
        self.query(move |connection| {
            let count: i64 = connection.query_row(sql, [from, to], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    Ok(OutboxRow {
        seq: row.get(0)?,
        at: Timestamp::from_micros(row.get(1)?),
        event: row.get(2)?,
        body: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Write;

    fn event(at: i64) -> Write {
        let at = Timestamp::from_micros(at);
        Write::Outbox(OutboxEvent { event: Event::RequestCreated, body: format!("{{{at}}}"), at })
    }

    fn done(hook: &str, seq: i64) -> Write {
        Write::Hooks(HookWrite::Done { hook: hook.to_owned(), seq })
    }

    #[tokio::test]
    async fn events_wait_in_order_until_they_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let (store, _) = Store::open(&path, "boot").unwrap();
        assert_eq!(store.outbox().await.unwrap(), Outbox::default());
        store.change(vec![event(10), event(20), event(30), done("mail", 1)]).await.unwrap();
        store.close();
        let (store, _) = Store::open(&path, "boot").unwrap();
        let outbox = store.outbox().await.unwrap();
        assert_eq!((outbox.count, outbox.first, outbox.last, outbox.done["mail"]), (3, 1, 3, 1));
        let next = store.outbox_after(1).await.unwrap().unwrap();
        assert_eq!((next.seq, next.at.micros(), next.event.as_str()), (2, 20, "request.created"));
        assert_eq!(store.outbox_after(3).await.unwrap(), None);
        assert_eq!(store.outbox_before(Timestamp::from_micros(30)).await.unwrap(), 2);
        assert_eq!(store.outbox_before(Timestamp::from_micros(10)).await.unwrap(), 0);
        assert_eq!(
            (store.outbox_nth(1).await.unwrap(), store.outbox_nth(9).await.unwrap()),
            (2, 0)
        );
        assert_eq!(store.outbox_between(1, 3).await.unwrap(), 2);

        store.change(vec![Write::Hooks(HookWrite::Dropped { to: 2 })]).await.unwrap();
        assert_eq!(store.outbox().await.unwrap().first, 3);
        store.change(vec![Write::Hooks(HookWrite::Dropped { to: 3 }), event(40)]).await.unwrap();
        assert_eq!(store.outbox().await.unwrap().first, 4, "a number is given once");
    }

    #[tokio::test]
    async fn a_hook_never_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(&folder.path().join("state.sqlite"), "boot").unwrap();
        store.change(vec![done("mail", 7), done("mail", 5)]).await.unwrap();
        assert_eq!(store.outbox().await.unwrap().done["mail"], 7);
        store.change(vec![Write::Hooks(HookWrite::Gone("mail".to_owned()))]).await.unwrap();
        assert!(store.outbox().await.unwrap().done.is_empty());
    }
}
