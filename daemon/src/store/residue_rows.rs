//! How the host was when grants began, and what they left: rows to values and back. Pictures and
//! reports are kept once, however many grants they are of.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_proto::{GrantId, Residue, RoleName, Timestamp, UserName};

use super::rows::{from_json, json, text};
use super::values::{Compared, FirstLook, FirstPicture, Left, ToCompare};
use crate::domain::grant::Grant;
use crate::residue::{Picture, Report, digest};

/// The tables.
pub(super) const MIGRATION: &str = "
    CREATE TABLE pictures (
        digest   TEXT PRIMARY KEY,
        picture  TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE first_looks (
        grant_id TEXT PRIMARY KEY,
        digest   TEXT,
        since    INTEGER NOT NULL,
        late     INTEGER NOT NULL,
        boot_id  TEXT NOT NULL,
        over     INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX first_looks_of ON first_looks (digest);
    CREATE INDEX first_looks_over ON first_looks (over) WHERE over;
    CREATE TABLE reports (
        digest   TEXT PRIMARY KEY,
        report   TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE residues (
        grant_id TEXT PRIMARY KEY,
        digest   TEXT NOT NULL,
        since    INTEGER NOT NULL,
        late     INTEGER NOT NULL,
        until    INTEGER NOT NULL,
        files    INTEGER NOT NULL,
        micros   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

/// How many grants are looked after at once.
const BATCH: usize = 1_000;

/// Writes how the host was when a grant began.
pub(super) fn begun(
    connection: &Connection,
    boot_id: &str,
    grant: &GrantId,
    first: &FirstLook,
) -> rusqlite::Result<()> {
    let digest = keep_picture(connection, first.picture.as_deref())?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO first_looks VALUES (?1, ?2, ?3, 0, ?4, 0)")?
        .execute(params![grant.as_str(), digest, first.since.micros(), boot_id])
        .map(drop)
}

/// Writes how the host was later, for every grant that runs and of which nothing is known.
pub(super) fn seen_late(
    connection: &Connection,
    boot_id: &str,
    first: &FirstLook,
) -> rusqlite::Result<()> {
    let digest = keep_picture(connection, first.picture.as_deref())?;
    connection.execute(
        "INSERT OR REPLACE INTO first_looks
         SELECT id, ?1, ?2, 1, ?3, 0 FROM grants LEFT JOIN first_looks ON grant_id = id
         WHERE state <> 'ended' AND state = 'active' AND digest IS NULL",
        params![digest, first.since.micros(), boot_id],
    )?;
    forget_pictures(connection)
}

/// Marks a grant as one to be looked after.
pub(super) fn over(connection: &Connection, grant: &GrantId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE first_looks SET over = 1 WHERE grant_id = ?1")?
        .execute([grant.as_str()])
        .map(drop)
}

fn keep_picture(
    connection: &Connection,
    picture: Option<&FirstPicture>,
) -> rusqlite::Result<Option<String>> {
    let Some(FirstPicture { digest, text }) = picture else { return Ok(None) };
    connection
        .prepare_cached("INSERT OR IGNORE INTO pictures VALUES (?1, ?2)")?
        .execute([digest, text])?;
    Ok(Some(digest.clone()))
}

/// Whether a grant runs of which it is not known how the host was.
pub(super) fn any_unseen(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM grants LEFT JOIN first_looks ON grant_id = id
                        WHERE state <> 'ended' AND state = 'active' AND digest IS NULL)",
        [],
        |row| row.get(0),
    )
}

/// Grants that are over and to be looked after now: what ran under them has been ended too, or
/// could not be (`stubborn`). A batch of them, with the pictures from their beginning.
pub(super) fn ended(
    connection: &Connection,
    stubborn: &BTreeSet<String>,
) -> rusqlite::Result<ToCompare> {
    let mut statement = connection.prepare(
        "SELECT grant_id, digest, since, late, boot_id,
                EXISTS (SELECT 1 FROM evictions WHERE kind = 'sessions' AND id = grant_id)
         FROM first_looks WHERE over",
    )?;
    let mut rows = statement.query([])?;
    let mut found: Vec<Compared> = Vec::new();
    let mut pictures: HashMap<String, Picture> = HashMap::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        if row.get(5)? && !stubborn.contains(&id) {
            continue;
        }
        let Some(grant) = grant(connection, &id)? else { continue };
        let digest: Option<String> = row.get(1)?;
        if let Some(digest) = digest.as_ref().filter(|digest| !pictures.contains_key(*digest))
            && let Some(picture) = picture(connection, digest)?
        {
            pictures.insert(digest.clone(), picture);
        }
        let (since, late, boot_id) =
            (Timestamp::from_micros(row.get(2)?), row.get(3)?, row.get(4)?);
        found.push(Compared { grant, digest, since, late, boot_id });
        if found.len() == BATCH {
            break;
        }
    }
    Ok((found, pictures))
}

fn grant(connection: &Connection, id: &str) -> rusqlite::Result<Option<Grant>> {
    let mut found = super::rows::grants(connection, "id = ?1", &[&id])?;
    Ok(found.pop().map(|stored| stored.grant))
}

fn picture(connection: &Connection, digest: &str) -> rusqlite::Result<Option<Picture>> {
    connection
        .prepare_cached("SELECT picture FROM pictures WHERE digest = ?1")?
        .query_row([digest], |row| from_json(row, 0))
        .optional()
}

/// Writes what a grant left; how the host was is not needed any more.
pub(super) fn left(connection: &Connection, left: &Left) -> rusqlite::Result<()> {
    let Left { grant, since, late, until, files, micros, report } = left;
    let text = json(report.as_ref())?;
    let digest = digest(&text);
    connection
        .prepare_cached("INSERT OR IGNORE INTO reports VALUES (?1, ?2)")?
        .execute([&digest, &text])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO residues VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            grant.as_str(),
            digest,
            since.micros(),
            late,
            until.micros(),
            files,
            micros
        ])?;
    connection
        .prepare_cached("DELETE FROM first_looks WHERE grant_id = ?1")?
        .execute([grant.as_str()])
        .map(drop)
}

/// Removes pictures that no grant needs any more.
pub(super) fn forget_pictures(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM pictures WHERE NOT EXISTS
                (SELECT 1 FROM first_looks WHERE first_looks.digest = pictures.digest)",
        )?
        .execute([])
        .map(drop)
}

/// What grants left, of this user and role where given.
pub(super) fn residues(
    connection: &Connection,
    user: Option<&UserName>,
    role: Option<&RoleName>,
) -> rusqlite::Result<HashMap<GrantId, Residue>> {
    let mut statement = connection.prepare(
        "SELECT grant_id, since, late, until, files, micros, digest FROM residues JOIN grants ON id = grant_id
         WHERE (?1 IS NULL OR user = ?1) AND (?2 IS NULL OR role = ?2)",
    )?;
    let mut reports: HashMap<String, Report> = HashMap::new();
    let mut found = HashMap::new();
    let mut rows =
        statement.query(params![user.map(UserName::as_str), role.map(RoleName::as_str)])?;
    while let Some(row) = rows.next()? {
        let digest: String = row.get(6)?;
        if !reports.contains_key(&digest) {
            let report = connection
                .prepare_cached("SELECT report FROM reports WHERE digest = ?1")?
                .query_row([&digest], |row| from_json::<Report>(row, 0))?;
            reports.insert(digest.clone(), report);
        }
        if let Some(report) = reports.get(&digest) {
            found.insert(text(row, 0)?, residue(row, report)?);
        }
    }
    Ok(found)
}

/// What one grant left.
pub(super) fn of_grant(
    connection: &Connection,
    grant: &GrantId,
) -> rusqlite::Result<Option<Residue>> {
    connection
        .prepare_cached(
            "SELECT grant_id, since, late, until, files, micros, report
             FROM residues JOIN reports USING (digest) WHERE grant_id = ?1",
        )?
        .query_row([grant.as_str()], |row| residue(row, &from_json::<Report>(row, 6)?))
        .optional()
}

fn residue(row: &Row<'_>, report: &Report) -> rusqlite::Result<Residue> {
    Ok(Residue {
        since: Timestamp::from_micros(row.get(1)?),
        late: row.get(2)?,
        until: Timestamp::from_micros(row.get(3)?),
        files: row.get(4)?,
        micros: row.get::<_, i64>(5)?.unsigned_abs(),
        count: report.count,
        found: report.found.clone(),
        unseen: report.unseen.clone(),
    })
}
