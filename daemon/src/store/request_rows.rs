//! Requests in the state: rows to values and back, as in `rows`.

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};
use stint_proto::{GrantId, Length, RequestId, RoleName, Timestamp, Uid};

use super::rows::{self, from_json, json, optional, text, unreadable};
use crate::domain::grant::Grant;
use crate::domain::request::{End, Request, Stage};

const COLUMNS: &str = "id, user, uid, role, state, duration, starts_at, reason, ticket, extends, \
    created_at, lapses_at, groups, terms, approvals, ended_at, ended_by, note, grant_id";

/// Requests by their end.
pub(super) const MIGRATION: &str =
    "CREATE INDEX requests_ended ON requests (ended_at) WHERE ended_at IS NOT NULL;";

/// Writes a request, new or in a new stage. What is over cannot be written again, and what was
/// asked never changes.
pub(super) fn put(connection: &Connection, request: &Request) -> rusqlite::Result<()> {
    let (state, ended_at, ended_by, note, grant) = match &request.stage {
        Stage::Pending => ("pending", None, None, None, None),
        Stage::Ended { how, at, by } => {
            let (note, grant) = match how {
                End::Approved(grant) => (None, Some(grant.as_str())),
                End::Denied(why) | End::Lapsed(why) => (Some(why), None),
                End::Cancelled => (None, None),
            };
            (how.state().as_str(), Some(at.micros()), Some(by), note, grant)
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
                ?17, ?18, ?19)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, terms = excluded.terms,
                approvals = excluded.approvals, ended_at = excluded.ended_at,
                ended_by = excluded.ended_by, note = excluded.note, grant_id = excluded.grant_id
             WHERE requests.user = excluded.user AND requests.uid = excluded.uid
                AND requests.state = 'pending'",
        )?
        .execute(params![
            request.id.as_str(),
            request.user.as_str(),
            request.uid.0,
            request.role.as_str(),
            state,
            i64::try_from(request.duration.seconds()).unwrap_or(i64::MAX),
            request.starts_at.map(Timestamp::micros),
            request.reason,
            request.ticket,
            request.extends.as_ref().map(GrantId::as_str),
            request.created_at.micros(),
            request.lapses_at.micros(),
            json(&request.groups)?,
            json(&request.terms)?,
            json(&request.approvals)?,
            ended_at,
            ended_by,
            note,
            grant,
        ])
        .and_then(|changed| match changed {
            0 => Err(rusqlite::Error::StatementChangedRows(0)),
            _ => Ok(()),
        })
}

/// Requests that fit: `where_sql` is a constant of this crate, the values are bound.
pub(super) fn requests(
    connection: &Connection,
    where_sql: &'static str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<Vec<Request>> {
    let sql = format!("SELECT {COLUMNS} FROM requests WHERE {where_sql} ORDER BY created_at, id");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map(params_from_iter(values), read)?;
    rows.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Request> {
    let duration: i64 = row.get(5)?;
    let duration = u64::try_from(duration).ok().and_then(Length::from_seconds);
    Ok(Request {
        id: text(row, 0)?,
        user: text(row, 1)?,
        uid: Uid(row.get(2)?),
        role: text(row, 3)?,
        stage: stage(row)?,
        duration: duration.ok_or_else(|| unreadable(5, "this duration"))?,
        starts_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
        reason: row.get(7)?,
        ticket: row.get(8)?,
        extends: optional(row, 9)?,
        created_at: Timestamp::from_micros(row.get(10)?),
        lapses_at: Timestamp::from_micros(row.get(11)?),
        groups: from_json(row, 12)?,
        terms: from_json(row, 13)?,
        approvals: from_json(row, 14)?,
    })
}

fn stage(row: &Row<'_>) -> rusqlite::Result<Stage> {
    let state: String = row.get(4)?;
    let (at, by): (Option<i64>, Option<String>) = (row.get(15)?, row.get(16)?);
    let note: Option<String> = row.get(17)?;
    let how = match (state.as_str(), optional(row, 18)?, note) {
        ("pending", None, None) => return Ok(Stage::Pending),
        ("approved", Some(grant), None) => End::Approved(grant),
        ("denied", None, Some(why)) => End::Denied(why),
        ("cancelled", None, None) => End::Cancelled,
        ("lapsed", None, Some(why)) => End::Lapsed(why),
        _ => return Err(unreadable(4, &state)),
    };
    match (at, by) {
        (Some(at), Some(by)) => Ok(Stage::Ended { how, at: Timestamp::from_micros(at), by }),
        _ => Err(unreadable(15, &state)),
    }
}

/// The requests that are over whose id begins like this; at most two, which is enough to know that
/// it names none alone. The one that has exactly this id comes alone.
pub(super) fn ended_like(
    connection: &Connection,
    prefix: &RequestId,
) -> rusqlite::Result<Vec<Request>> {
    let exact = requests(connection, "id = ?1", &[&prefix.as_str()])?;
    if !exact.is_empty() {
        return Ok(exact);
    }
    // An id has no character that means something to GLOB.
    let like = format!("{prefix}*");
    let sql = format!(
        "SELECT {COLUMNS} FROM requests WHERE state <> 'pending' AND id GLOB ?1
         ORDER BY created_at DESC LIMIT 2"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([like], read)?;
    rows.collect()
}

/// The requests that ended since then, the latest first, as many as that at the most.
pub(super) fn ended_since(
    connection: &Connection,
    since: Timestamp,
    most: usize,
) -> rusqlite::Result<Vec<Request>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM requests WHERE ended_at >= ?1 ORDER BY ended_at DESC, id LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map([since.micros(), most], read)?;
    rows.collect()
}

/// The uses of break-glass roles that are over and that nobody has reviewed, whose id begins like
/// this; all of them, if nothing is said.
pub(super) fn unreviewed(
    connection: &Connection,
    prefix: Option<&GrantId>,
) -> rusqlite::Result<Vec<Grant>> {
    let prefix = prefix.map_or("", GrantId::as_str);
    let found = rows::grants(
        connection,
        "state = 'ended' AND origin = 'break-glass' AND reviewed_by IS NULL AND id GLOB ?1",
        &[&format!("{prefix}*")],
    )?;
    Ok(found.into_iter().map(|stored| stored.grant).collect())
}

/// What this uid has held of this role and that ended since then, and the use of it as a
/// break-glass role that nobody has reviewed.
pub(super) fn history(
    connection: &Connection,
    uid: Uid,
    role: &RoleName,
    since: Timestamp,
) -> rusqlite::Result<(Vec<Grant>, Option<GrantId>)> {
    let ended = rows::grants(
        connection,
        "uid = ?1 AND role = ?2 AND state = 'ended' AND ended_at >= ?3",
        &[&uid.0, &role.as_str(), &since.micros()],
    )?;
    let unreviewed: Option<String> = connection
        .query_row(
            "SELECT id FROM grants WHERE uid = ?1 AND role = ?2 AND origin = 'break-glass'
                AND reviewed_by IS NULL ORDER BY starts_at LIMIT 1",
            params![uid.0, role.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    let unreviewed = unreviewed.map(|id| id.parse().map_err(|_| unreadable(0, &id))).transpose()?;
    Ok((ended.into_iter().map(|stored| stored.grant).collect(), unreviewed))
}
