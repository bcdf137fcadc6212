//! Rows to values and back. A row that does not read is an error, never skipped.

use std::collections::BTreeSet;

use rusqlite::{Connection, Row, ToSql, params, params_from_iter};
use stint_policy::SourceFile;
use stint_proto::{EndReason, Origin, RequestId, RoleName, Timestamp, Uid, UserName};

use super::{
    Membership, Session, Write, document_rows, drift_rows, eviction_rows, floods, request_rows,
    residue_rows, review_rows,
};
use crate::domain::control_group::Group;
use crate::domain::deadline::Deadline;
use crate::domain::grant::{Grant, Review, Stage};
use crate::domain::human::Process;

const GRANT_COLUMNS: &str = "id, user, uid, role, state, starts_at, expires_at, boot_id, \
    boot_deadline, ended_at, end_reason, origin, reason, ticket, granted_by, policy_key, \
    request, approvals, reviewed_by, reviewed_at, review_note";

/// Writes one change inside the caller's transaction.
pub(super) fn write(connection: &Connection, boot_id: &str, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Grant(grant) => put_grant(connection, boot_id, grant),
        Write::Request(request) => request_rows::put(connection, request),
        Write::Owned(membership) => connection
            .prepare_cached(
                "INSERT OR IGNORE INTO memberships (user, grp, backend) VALUES (?1, ?2, ?3)",
            )?
            .execute(membership_params(membership))
            .map(drop),
        Write::Disowned(membership) => connection
            .prepare_cached(
                "DELETE FROM memberships WHERE user = ?1 AND grp = ?2 AND backend = ?3",
            )?
            .execute(membership_params(membership))
            .map(drop),
        // With all others of the transaction: links by the chain, the clock once.
        Write::Record(_) | Write::CountOver(_) | Write::HighWater(_) => Ok(()),
        Write::Counted(count) => floods::put(connection, boot_id, count),
        Write::ClockTaken(at) => {
            connection.execute("UPDATE clock SET high_water = ?1", [at.micros()]).map(drop)
        }
        Write::PolicyInForce(files) => {
            connection.execute("DELETE FROM policy_in_force", [])?;
            for (ordinal, file) in files.iter().enumerate() {
                connection.execute(
                    "INSERT INTO policy_in_force VALUES (?1, ?2, ?3)",
                    params![i64::try_from(ordinal).unwrap_or(i64::MAX), file.path, file.text],
                )?;
            }
            Ok(())
        }
        Write::SignedPolicy(signed, last) => document_rows::put_policy(connection, signed, *last),
        Write::Document(taken) => document_rows::put_document(connection, taken),
        Write::SessionOpened(session) => connection
            .prepare_cached(
                "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                session.id,
                session.grant.as_ref().map(ToString::to_string),
                session.user,
                session.uid.0,
                session.service,
                session.tty,
                session.opened_at.micros(),
                boot_id,
                session.process.pid,
                i64::try_from(session.process.started).unwrap_or(i64::MAX),
                session.group.as_ref().map(Group::as_str),
            ])
            .map(drop),
        Write::SessionClosed(id) => {
            connection.prepare_cached("DELETE FROM sessions WHERE id = ?1")?.execute([id]).map(drop)
        }
        Write::OldSessionsForgotten => {
            connection.execute("DELETE FROM sessions WHERE boot_id <> ?1", [boot_id])?;
            connection.execute("DELETE FROM evictions WHERE boot_id <> ?1", [boot_id])?;
            connection.execute("DELETE FROM carriers WHERE boot_id <> ?1", [boot_id]).map(drop)
        }
        Write::EvictionOwed(eviction) => eviction_rows::owed(connection, boot_id, eviction),
        Write::EvictionDone(eviction) => eviction_rows::done(connection, eviction),
        Write::Carriers(membership, carriers) => {
            eviction_rows::put_carriers(connection, boot_id, membership, carriers)
        }
        Write::Begun(grant, first) => residue_rows::begun(connection, boot_id, grant, first),
        Write::SeenLate(first) => residue_rows::seen_late(connection, boot_id, first),
        Write::Left(left) => residue_rows::left(connection, left),
        Write::PicturesForgotten => residue_rows::forget_pictures(connection),
        Write::StandingSeen { at, keys, all } => {
            super::standing_rows::seen(connection, *at, keys, *all)
        }
        Write::Seen(membership) => drift_rows::seen(connection, boot_id, membership),
        Write::Withdrawn(withdrawn) => drift_rows::put_withdrawn(connection, withdrawn),
        Write::WithdrawnOver(grant) => drift_rows::withdrawn_over(connection, grant),
        Write::Ruled { come, gone } => drift_rows::put_ruled(connection, come, gone),
        Write::Local(account) => drift_rows::put_local(connection, account),
        Write::LocalForgotten(user, uid) => drift_rows::forget_local(connection, user, *uid),
        Write::Attested(word) => review_rows::attested(connection, word),
        Write::Outbox(event) => super::outbox::put(connection, event),
        Write::Hooks(change) => super::outbox::write(connection, change),
    }
}

fn membership_params(membership: &Membership) -> [String; 3] {
    [
        membership.user.to_string(),
        membership.group.to_string(),
        membership.backend.as_str().to_owned(),
    ]
}

/// Notes the latest wall clock of these changes.
pub(super) fn raise_high_water(connection: &Connection, writes: &[Write]) -> rusqlite::Result<()> {
    let seen = writes.iter().filter_map(|write| match write {
        Write::Record(entry) => Some(entry.at),
        Write::Counted(count) | Write::CountOver(count) => Some(count.entry.at),
        Write::HighWater(at) => Some(*at),
        _ => None,
    });
    let Some(at) = seen.max() else { return Ok(()) };
    connection
        .prepare_cached("UPDATE clock SET high_water = max(high_water, ?1)")?
        .execute([at.micros()])
        .map(drop)
}

fn put_grant(connection: &Connection, boot_id: &str, grant: &Grant) -> rusqlite::Result<()> {
    let (ended_at, end_reason) = match grant.stage {
        Stage::Ended { at, reason } => (Some(at.micros()), Some(reason.as_str())),
        Stage::Scheduled | Stage::Active => (None, None),
    };
    connection
        .prepare_cached(
            "INSERT INTO grants VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                ?17, ?18, ?19, ?20, ?21)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_at = excluded.expires_at,
                boot_id = excluded.boot_id, boot_deadline = excluded.boot_deadline,
                ended_at = excluded.ended_at, end_reason = excluded.end_reason,
                reviewed_by = excluded.reviewed_by, reviewed_at = excluded.reviewed_at,
                review_note = excluded.review_note
             WHERE grants.user = excluded.user AND grants.uid = excluded.uid
                AND (grants.state <> 'ended'
                    OR (excluded.state = 'ended' AND grants.ended_at = excluded.ended_at
                        AND grants.reviewed_by IS NULL AND excluded.reviewed_by IS NOT NULL))",
        )?
        .execute(params![
            grant.id.as_str(),
            grant.user.as_str(),
            grant.uid.0,
            grant.role.as_str(),
            grant.stage.state().as_str(),
            grant.starts_at.micros(),
            grant.deadline.wall.micros(),
            boot_id,
            grant.deadline.boot,
            ended_at,
            end_reason,
            grant.origin.as_str(),
            grant.reason,
            grant.ticket,
            grant.granted_by,
            grant.policy_key,
            grant.request.as_ref().map(RequestId::as_str),
            json(&grant.approvals)?,
            grant.review.as_ref().map(|review| &review.by),
            grant.review.as_ref().map(|review| review.at.micros()),
            grant.review.as_ref().map(|review| &review.note),
        ])
        .and_then(|changed| match changed {
            0 => Err(rusqlite::Error::StatementChangedRows(0)),
            _ => Ok(()),
        })?;
    if ended_at.is_some() { residue_rows::over(connection, &grant.id) } else { Ok(()) }
}

/// A grant as stored, with the boot under which its boot deadline counts.
pub struct StoredGrant {
    /// The grant.
    pub grant: Grant,
    /// The boot id.
    pub boot_id: String,
}

/// Grants that fit: `where_sql` is a constant of this crate, the values are bound.
pub(super) fn grants(
    connection: &Connection,
    where_sql: &'static str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<StoredGrant>> {
    let sql =
        format!("SELECT {GRANT_COLUMNS} FROM grants WHERE {where_sql} ORDER BY starts_at, id");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read_grant)?;
    rows.collect()
}

/// The next grants after one, in the order in which they began.
pub(super) fn page_by_start(
    connection: &Connection,
    (after, id): (Timestamp, &str),
    limit: usize,
) -> rusqlite::Result<Vec<StoredGrant>> {
    let sql = format!(
        "SELECT {GRANT_COLUMNS} FROM grants WHERE (starts_at, id) > (?1, ?2)
         ORDER BY starts_at, id LIMIT {limit}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after.micros(), id], read_grant)?;
    rows.collect()
}

fn read_grant(row: &Row<'_>) -> rusqlite::Result<StoredGrant> {
    let state: String = row.get(4)?;
    let ended_at: Option<i64> = row.get(9)?;
    let end_reason: Option<String> = row.get(10)?;
    let stage = match (state.as_str(), ended_at, end_reason) {
        ("scheduled", None, None) => Stage::Scheduled,
        ("active", None, None) => Stage::Active,
        ("ended", Some(at), Some(reason)) => Stage::Ended {
            at: Timestamp::from_micros(at),
            reason: EndReason::from_word(&reason).ok_or_else(|| unreadable(10, &reason))?,
        },
        _ => return Err(unreadable(4, &state)),
    };
    let origin: String = row.get(11)?;
    let grant = Grant {
        id: text(row, 0)?,
        user: text(row, 1)?,
        uid: Uid(row.get(2)?),
        role: text(row, 3)?,
        stage,
        starts_at: Timestamp::from_micros(row.get(5)?),
        deadline: Deadline { wall: Timestamp::from_micros(row.get(6)?), boot: row.get(8)? },
        origin: Origin::from_word(&origin).ok_or_else(|| unreadable(11, &origin))?,
        reason: row.get(12)?,
        ticket: row.get(13)?,
        granted_by: row.get(14)?,
        policy_key: row.get(15)?,
        request: optional(row, 16)?,
        approvals: from_json(row, 17)?,
        review: review(row)?,
    };
    Ok(StoredGrant { grant, boot_id: row.get(7)? })
}

fn review(row: &Row<'_>) -> rusqlite::Result<Option<Review>> {
    let by: Option<String> = row.get(18)?;
    by.map(|by| {
        let (at, note) = (row.get::<_, Option<i64>>(19)?, row.get::<_, Option<String>>(20)?);
        let at = Timestamp::from_micros(at.ok_or_else(|| unreadable(19, ""))?);
        Ok(Review { by, at, note: note.unwrap_or_default() })
    })
    .transpose()
}

/// A value as JSON in a column.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A value from JSON in a column.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unreadable(column, &text))
}

/// A value that may be absent.
pub(super) fn optional<T: std::str::FromStr>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| unreadable(column, &text))).transpose()
}

pub(super) fn text<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| unreadable(column, &text))
}

pub(super) fn unreadable(column: usize, found: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Text,
        format!("{found:?} cannot stand here").into(),
    )
}

/// The text of the policy that was in force last.
pub(super) fn policy_in_force(connection: &Connection) -> rusqlite::Result<Vec<SourceFile>> {
    let mut statement =
        connection.prepare("SELECT path, text FROM policy_in_force ORDER BY ordinal")?;
    let rows =
        statement.query_map([], |row| Ok(SourceFile { path: row.get(0)?, text: row.get(1)? }))?;
    rows.collect()
}

/// Sessions of this boot that have not ended.
pub(super) fn sessions(connection: &Connection, boot_id: &str) -> rusqlite::Result<Vec<Session>> {
    let mut statement = connection.prepare(
        "SELECT id, grant_id, user, uid, service, tty, opened_at, pid, pid_started, cgroup
         FROM sessions
         WHERE boot_id = ?1",
    )?;
    let rows = statement.query_map([boot_id], |row| {
        let grant: Option<String> = row.get(1)?;
        Ok(Session {
            id: row.get(0)?,
            grant: grant.map(|id| id.parse().map_err(|_| unreadable(1, &id))).transpose()?,
            user: row.get(2)?,
            uid: Uid(row.get(3)?),
            service: row.get(4)?,
            tty: row.get(5)?,
            opened_at: Timestamp::from_micros(row.get(6)?),
            process: Process { pid: row.get(7)?, started: row.get::<_, i64>(8)?.unsigned_abs() },
            group: row.get::<_, Option<String>>(9)?.and_then(|path| Group::parse(&path)),
        })
    })?;
    rows.collect()
}

/// The latest wall clock ever recorded.
pub(super) fn high_water(connection: &Connection) -> rusqlite::Result<Timestamp> {
    let at = connection.query_row("SELECT high_water FROM clock", [], |row| row.get(0))?;
    Ok(Timestamp::from_micros(at))
}

/// Whether this id was ever given, to a grant or to a request.
pub(super) fn id_taken(connection: &Connection, id: &str) -> rusqlite::Result<bool> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM grants WHERE id = ?1)
             OR EXISTS (SELECT 1 FROM requests WHERE id = ?1)",
        [id],
        |row| row.get(0),
    )
}

/// The policy's entries whose grant is over.
pub(super) fn spent_policy_keys(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT policy_key FROM grants
         WHERE policy_key IS NOT NULL AND end_reason <> 'policy'",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// Grants that have ended, of this user and role where given.
pub(super) fn listed(
    connection: &Connection,
    user: Option<&UserName>,
    role: Option<&RoleName>,
) -> rusqlite::Result<Vec<StoredGrant>> {
    let user = user.map(UserName::as_str);
    let role = role.map(RoleName::as_str);
    grants(
        connection,
        "state = 'ended' AND (?1 IS NULL OR user = ?1) AND (?2 IS NULL OR role = ?2)",
        &[&user, &role],
    )
}
