//! What is known of changes by hand: what stint has seen in its place, what somebody took away, and
//! whose accounts are this host's own. Rows to values and back.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use stint_proto::{GrantId, GroupName, Uid, UserName};

use super::rows::{from_json, json, text};
use super::{Backend, Conferred, LocalAccount, Membership, Withdrawn};

/// `seen`: the boot in which a membership was found in its place. An empty group is the sudo rules.
pub(super) const MIGRATION: &str = "
    ALTER TABLE memberships ADD COLUMN seen TEXT;
    CREATE TABLE withdrawn (
        grant_id TEXT NOT NULL,
        user     TEXT NOT NULL,
        grp      TEXT NOT NULL,
        PRIMARY KEY (grant_id, grp)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE ruled (grant_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE local_accounts (
        user   TEXT NOT NULL,
        uid    INTEGER NOT NULL,
        others TEXT NOT NULL,
        PRIMARY KEY (user, uid)
    ) STRICT, WITHOUT ROWID;";

pub(super) fn seen(
    connection: &Connection,
    boot_id: &str,
    membership: &Membership,
) -> rusqlite::Result<()> {
    let Membership { user, group, backend } = membership;
    connection
        .prepare_cached(
            "UPDATE memberships SET seen = ?4 WHERE user = ?1 AND grp = ?2 AND backend = ?3",
        )?
        .execute(params![user.as_str(), group.as_str(), backend.as_str(), boot_id])
        .map(drop)
}

/// What stint has added and not yet taken back, and whether it was seen in its place. A drop-in is
/// gone after a reboot, so it counts as seen in this boot alone.
pub(super) fn memberships(
    connection: &Connection,
    boot_id: &str,
) -> rusqlite::Result<Vec<(Membership, bool)>> {
    let mut statement = connection.prepare("SELECT user, grp, backend, seen FROM memberships")?;
    let rows = statement.query_map([], |row| {
        let backend: String = row.get(2)?;
        let backend =
            Backend::from_word(&backend).ok_or_else(|| super::rows::unreadable(2, &backend))?;
        let seen: Option<String> = row.get(3)?;
        let is_seen = seen.is_some_and(|boot| backend == Backend::Files || boot == boot_id);
        Ok((Membership { user: text(row, 0)?, group: text(row, 1)?, backend }, is_seen))
    })?;
    rows.collect()
}

pub(super) fn put_withdrawn(
    connection: &Connection,
    withdrawn: &Withdrawn,
) -> rusqlite::Result<()> {
    let Withdrawn { grant, user, what } = withdrawn;
    let group = match what {
        Conferred::Group(group) => group.as_str(),
        Conferred::SudoRules => "",
    };
    connection
        .prepare_cached("INSERT OR IGNORE INTO withdrawn VALUES (?1, ?2, ?3)")?
        .execute(params![grant.as_str(), user.as_str(), group])
        .map(drop)
}

pub(super) fn withdrawn_over(connection: &Connection, grant: &GrantId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM withdrawn WHERE grant_id = ?1")?
        .execute([grant.as_str()])
        .map(drop)
}

pub(super) fn withdrawn(connection: &Connection) -> rusqlite::Result<BTreeSet<Withdrawn>> {
    let mut statement = connection.prepare("SELECT grant_id, user, grp FROM withdrawn")?;
    let rows = statement.query_map([], |row| {
        let group: String = row.get(2)?;
        let what = match group.as_str() {
            "" => Conferred::SudoRules,
            _ => Conferred::Group(text::<GroupName>(row, 2)?),
        };
        Ok(Withdrawn { grant: text(row, 0)?, user: text::<UserName>(row, 1)?, what })
    })?;
    rows.collect()
}

/// Whose rules are in the sudo rule file from now on, and whose no longer.
pub(super) fn put_ruled(
    connection: &Connection,
    come: &[GrantId],
    gone: &[GrantId],
) -> rusqlite::Result<()> {
    for (sql, grants) in [
        ("INSERT OR IGNORE INTO ruled VALUES (?1)", come),
        ("DELETE FROM ruled WHERE grant_id = ?1", gone),
    ] {
        let mut statement = connection.prepare_cached(sql)?;
        for grant in grants {
            statement.execute([grant.as_str()])?;
        }
    }
    Ok(())
}

pub(super) fn ruled(connection: &Connection) -> rusqlite::Result<BTreeSet<GrantId>> {
    let mut statement = connection.prepare("SELECT grant_id FROM ruled")?;
    let rows = statement.query_map([], |row| text(row, 0))?;
    rows.collect()
}

pub(super) fn put_local(connection: &Connection, account: &LocalAccount) -> rusqlite::Result<()> {
    let LocalAccount { user, uid, others } = account;
    connection
        .prepare_cached("INSERT OR REPLACE INTO local_accounts VALUES (?1, ?2, ?3)")?
        .execute(params![user.as_str(), uid.0, json(others)?])
        .map(drop)
}

pub(super) fn forget_local(
    connection: &Connection,
    user: &UserName,
    uid: Uid,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM local_accounts WHERE user = ?1 AND uid = ?2")?
        .execute(params![user.as_str(), uid.0])
        .map(drop)
}

pub(super) fn local_accounts(connection: &Connection) -> rusqlite::Result<Vec<LocalAccount>> {
    let mut statement = connection.prepare("SELECT user, uid, others FROM local_accounts")?;
    let rows = statement.query_map([], |row| {
        Ok(LocalAccount { user: text(row, 0)?, uid: Uid(row.get(1)?), others: from_json(row, 2)? })
    })?;
    rows.collect()
}
