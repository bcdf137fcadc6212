//! Processes that are still to be ended, and those that had a group before stint gave it: rows to
//! values and back.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use stint_proto::{GroupName, Length, Uid, UserName};

use super::rows::unreadable;
use super::{Eviction, EvictionOf, Membership};
use crate::domain::human::Process;

/// The tables, and where a session is.
pub(super) const MIGRATION: &str = "
    ALTER TABLE sessions ADD COLUMN cgroup TEXT;
    CREATE TABLE evictions (
        boot_id  TEXT NOT NULL,
        kind     TEXT NOT NULL,
        id       TEXT NOT NULL,
        user     TEXT NOT NULL,
        uid      INTEGER,
        role     TEXT,
        leave    INTEGER NOT NULL,
        grace    INTEGER NOT NULL,
        PRIMARY KEY (kind, id, user)
    ) STRICT;
    CREATE TABLE carriers (
        user     TEXT NOT NULL,
        \"group\"  TEXT NOT NULL,
        boot_id  TEXT NOT NULL,
        pid      INTEGER NOT NULL,
        started  INTEGER NOT NULL,
        PRIMARY KEY (user, \"group\", pid, started)
    ) STRICT;";

const SESSIONS: &str = "sessions";
const GROUP: &str = "group";

fn kind_and_id(eviction: &Eviction) -> (&'static str, &str) {
    match &eviction.of {
        EvictionOf::Sessions { grant, .. } => (SESSIONS, grant.as_str()),
        EvictionOf::Group { group, .. } => (GROUP, group.as_str()),
    }
}

pub(super) fn owed(
    connection: &Connection,
    boot_id: &str,
    eviction: &Eviction,
) -> rusqlite::Result<()> {
    let (kind, id) = kind_and_id(eviction);
    let (role, uid) = match &eviction.of {
        EvictionOf::Sessions { role, uid, .. } => (Some(role.as_str()), Some(uid.0)),
        EvictionOf::Group { uid, .. } => (None, uid.map(|uid| uid.0)),
    };
    let (user, leave) = (eviction.user.as_str(), eviction.leave);
    let grace = i64::try_from(eviction.grace.seconds()).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT OR REPLACE INTO evictions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![boot_id, kind, id, user, uid, role, leave, grace])
        .map(drop)
}

pub(super) fn done(connection: &Connection, eviction: &Eviction) -> rusqlite::Result<()> {
    let (kind, id) = kind_and_id(eviction);
    connection
        .prepare_cached("DELETE FROM evictions WHERE kind = ?1 AND id = ?2 AND user = ?3")?
        .execute(params![kind, id, eviction.user.as_str()])
        .map(drop)
}

/// What is still to be ended of this boot: nothing lives on from another.
pub(super) fn evictions(connection: &Connection, boot_id: &str) -> rusqlite::Result<Vec<Eviction>> {
    let mut statement = connection.prepare(
        "SELECT kind, id, user, uid, role, leave, grace FROM evictions WHERE boot_id = ?1",
    )?;
    let rows = statement.query_map([boot_id], read)?;
    rows.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Eviction> {
    let kind: String = row.get(0)?;
    let of = match kind.as_str() {
        SESSIONS => EvictionOf::Sessions {
            grant: word(row, 1)?,
            role: word(row, 4)?,
            uid: Uid(row.get(3)?),
        },
        GROUP => {
            let uid: Option<u32> = row.get(3)?;
            EvictionOf::Group { group: word(row, 1)?, uid: uid.map(Uid) }
        }
        other => return Err(unreadable(0, other)),
    };
    let grace: i64 = row.get(6)?;
    Ok(Eviction {
        of,
        user: word(row, 2)?,
        leave: row.get(5)?,
        grace: Length::from_seconds(grace.unsigned_abs()).ok_or_else(|| unreadable(6, "grace"))?,
    })
}

/// Replaces what is known of who had a group before stint gave it to this user. While those are
/// still to be ended who had it of stint, what is known stays: they are not spared by a new grant.
pub(super) fn put_carriers(
    connection: &Connection,
    boot_id: &str,
    membership: &Membership,
    carriers: &[Process],
) -> rusqlite::Result<()> {
    let (user, group) = (membership.user.as_str(), membership.group.as_str());
    let is_owed: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM evictions WHERE kind = ?1 AND id = ?2 AND user = ?3)",
        )?
        .query_row([GROUP, group, user], |row| row.get(0))?;
    if is_owed {
        return Ok(());
    }
    connection
        .prepare_cached("DELETE FROM carriers WHERE user = ?1 AND \"group\" = ?2")?
        .execute(params![user, group])?;
    for process in carriers {
        let started = i64::try_from(process.started).unwrap_or(i64::MAX);
        connection
            .prepare_cached("INSERT INTO carriers VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![user, group, boot_id, process.pid, started])?;
    }
    Ok(())
}

/// Who had this group, in this boot, before stint gave it to this user.
pub(super) fn carriers(
    connection: &Connection,
    boot_id: &str,
    user: &UserName,
    group: &GroupName,
) -> rusqlite::Result<Vec<Process>> {
    let mut statement = connection.prepare(
        "SELECT pid, started FROM carriers WHERE user = ?1 AND \"group\" = ?2 AND boot_id = ?3",
    )?;
    let rows = statement.query_map([user.as_str(), group.as_str(), boot_id], |row| {
        Ok(Process { pid: row.get(0)?, started: row.get::<_, i64>(1)?.unsigned_abs() })
    })?;
    rows.collect()
}

/// All of them, by whom and by what they are known.
pub(super) fn all_carriers(
    connection: &Connection,
    boot_id: &str,
) -> rusqlite::Result<BTreeMap<(UserName, GroupName), Vec<Process>>> {
    let mut statement = connection
        .prepare("SELECT user, \"group\", pid, started FROM carriers WHERE boot_id = ?1")?;
    let mut all: BTreeMap<_, Vec<Process>> = BTreeMap::new();
    let mut rows = statement.query([boot_id])?;
    while let Some(row) = rows.next()? {
        let started = row.get::<_, i64>(3)?.unsigned_abs();
        let process = Process { pid: row.get(2)?, started };
        all.entry((word(row, 0)?, word(row, 1)?)).or_default().push(process);
    }
    Ok(all)
}

fn word<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}
