//! Reviewers' words, and grants as a review reads them: rows to values and back. A word is kept
//! once for each thing that it is of, the last one; all of them are in the record.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use stint_proto::{Attestation, GrantId, RequestId, ReviewWord, RoleName, Timestamp};

use super::rows::{self, StoredGrant, from_json, text, unreadable};
use super::{residue_rows, values::GrantsRead};
use crate::domain::grant::Grant;
use crate::domain::request::Approval;

/// The table, and grants by their beginning.
pub(super) const MIGRATION: &str = "
    CREATE TABLE attestations (
        grant_id TEXT NOT NULL,
        who      TEXT NOT NULL,
        role     TEXT NOT NULL,
        word     TEXT NOT NULL CHECK (word IN ('keep', 'remove')),
        by_whom  TEXT NOT NULL,
        at       INTEGER NOT NULL,
        note     TEXT NOT NULL,
        PRIMARY KEY (grant_id, who, role)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX grants_started ON grants (starts_at, id);";

/// How many grants are looked at for one page: few enough that no change waits long for it.
const PAGE: usize = 500;
/// What of one grant's residue is told in a page.
const NAMED: usize = 10;

/// Writes a reviewer's word in the place of the one before.
pub(super) fn attested(connection: &Connection, word: &Attestation) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO attestations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            word.grant.as_ref().map_or("", GrantId::as_str),
            word.who,
            word.role.as_str(),
            word.word.as_str(),
            word.by,
            word.at.micros(),
            word.note,
        ])
        .map(drop)
}

/// The last words on who is eligible, by who and role.
pub(super) fn of_eligibility(
    connection: &Connection,
) -> rusqlite::Result<BTreeMap<(String, RoleName), Attestation>> {
    let mut statement = connection.prepare(
        "SELECT grant_id, who, role, word, by_whom, at, note FROM attestations WHERE grant_id = ''",
    )?;
    let mut found = BTreeMap::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let word = read(row)?;
        found.insert((word.who.clone(), word.role.clone()), word);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Attestation> {
    let (grant, word): (String, String) = (row.get(0)?, row.get(3)?);
    let grant = match grant.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| unreadable(0, id))?),
    };
    Ok(Attestation {
        word: ReviewWord::from_word(&word).ok_or_else(|| unreadable(3, &word))?,
        by: row.get(4)?,
        at: Timestamp::from_micros(row.get(5)?),
        note: row.get(6)?,
        grant,
        who: row.get(1)?,
        role: text(row, 2)?,
        mend: None,
    })
}

/// The next grants after one, by their beginning, that had not ended at `since`.
pub(super) fn grants_since(
    connection: &Connection,
    since: Timestamp,
    (after, id): (Timestamp, &str),
) -> rusqlite::Result<GrantsRead> {
    let mut looked_at = rows::page_by_start(connection, (after, id), PAGE)?;
    let last = looked_at.last().map(|stored| (stored.grant.starts_at, stored.grant.id.clone()));
    looked_at.retain(|stored| !ended_before(&stored.grant, since));
    let mut read = GrantsRead { next: last, ..GrantsRead::default() };
    for StoredGrant { grant, .. } in looked_at {
        read.add(connection, grant)?;
    }
    Ok(read)
}

fn ended_before(grant: &Grant, since: Timestamp) -> bool {
    matches!(grant.stage, crate::domain::grant::Stage::Ended { at, .. } if at < since)
}

impl GrantsRead {
    fn add(&mut self, connection: &Connection, grant: Grant) -> rusqlite::Result<()> {
        if let Some(request) = &grant.request {
            let given = approvals(connection, request)?;
            self.approvals.insert(grant.id.clone(), given);
        }
        if let Some(mut residue) = residue_rows::of_grant(connection, &grant.id)? {
            residue.found.truncate(NAMED);
            self.residues.insert(grant.id.clone(), residue);
        }
        let word = connection
            .prepare_cached(
                "SELECT grant_id, who, role, word, by_whom, at, note FROM attestations
                 WHERE grant_id = ?1",
            )?
            .query_row([grant.id.as_str()], read)
            .optional()?;
        self.attested.extend(word.map(|word| (grant.id.clone(), word)));
        self.grants.push(grant);
        Ok(())
    }
}

/// Who approved a request; nobody where it is not there.
fn approvals(connection: &Connection, request: &RequestId) -> rusqlite::Result<Vec<Approval>> {
    let found = connection
        .prepare_cached("SELECT approvals FROM requests WHERE id = ?1")?
        .query_row([request.as_str()], |row| from_json(row, 0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The grants, running or ended, whose id begins like this: at most two. The one that
/// has exactly this id comes alone.
pub(super) fn grants_like(connection: &Connection, id: &GrantId) -> rusqlite::Result<Vec<Grant>> {
    let exact = rows::grants(connection, "id = ?1", &[&id.as_str()])?;
    let found = if exact.is_empty() {
        // An id has no character that means something to GLOB.
        let like = "id IN (SELECT id FROM grants WHERE id GLOB ?1 LIMIT 2)";
        rows::grants(connection, like, &[&format!("{id}*")])?
    } else {
        exact
    };
    Ok(found.into_iter().map(|stored| stored.grant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(grant: &str, who: &str, word: ReviewWord, at: i64) -> Attestation {
        Attestation {
            word,
            by: "carol".into(),
            at: Timestamp(at),
            note: "x".into(),
            grant: grant.parse().ok(),
            who: who.into(),
            role: "admin".parse().unwrap(),
            mend: None,
        }
    }

    fn state() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn the_last_word_on_each_thing_is_kept() {
        let connection = state();
        for (grant, who, said, at) in [
            ("", "alice", ReviewWord::Remove, 1),
            ("", "%leads", ReviewWord::Keep, 2),
            ("g4t9", "alice", ReviewWord::Keep, 3),
            ("", "alice", ReviewWord::Keep, 4),
        ] {
            attested(&connection, &word(grant, who, said, at)).unwrap();
        }
        let found = of_eligibility(&connection).unwrap();
        let alice = ("alice".to_owned(), "admin".parse().unwrap());
        assert_eq!((found.len(), found[&alice].at.0), (2, 4));
        assert_eq!(found[&alice].word, ReviewWord::Keep);
    }

    #[test]
    fn pages_come_to_an_end_and_leave_out_what_was_over() {
        let connection = state();
        for number in 0..1_201 {
            let id: String = format!("{number:04}")
                .bytes()
                .map(|digit| char::from(b"abcdefghjk"[usize::from(digit - b'0')]))
                .collect();
            let (state, ended) =
                if number < 600 { ("ended", Some(number)) } else { ("active", None) };
            connection
                .execute(
                    "INSERT INTO grants (id, user, uid, role, state, starts_at, expires_at, boot_id,
                        boot_deadline, ended_at, end_reason, origin, reason, granted_by)
                     VALUES (?1, 'alice', 1000, 'admin', ?2, ?3, 9, 'b', 9, ?4, ?5, 'admin', '', 'root')",
                    params![id, state, number / 10, ended, ended.map(|_| "expired")],
                )
                .unwrap();
        }
        let (mut seen, mut pages, mut after) = (0, 0, (Timestamp(i64::MIN), String::new()));
        loop {
            let read = grants_since(&connection, Timestamp(500), (after.0, &after.1)).unwrap();
            seen += read.grants.len();
            let Some((at, id)) = read.next else { break };
            (after, pages) = ((at, id.to_string()), pages + 1);
        }
        assert_eq!((seen, pages), (701, 3));
    }
}
