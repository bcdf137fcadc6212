//! Signed documents in the state: the policy that is kept, the last serial for ever, and which grants
//! and revocations were taken.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use stint_proto::{DocumentKind, GrantId, Timestamp, UserName};

use super::{Store, StoreError};

/// The tables. A serial is never forgotten, whatever becomes of the policy that had it.
pub(super) const MIGRATION: &str = "CREATE TABLE signed_policy (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        document TEXT NOT NULL,
        signers TEXT NOT NULL,
        source TEXT NOT NULL,
        taken_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE serials (
        kind TEXT PRIMARY KEY,
        serial INTEGER NOT NULL,
        digest BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE documents (
        digest BLOB PRIMARY KEY,
        kind TEXT NOT NULL,
        grant_id TEXT,
        user TEXT,
        not_before INTEGER NOT NULL,
        taken_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX documents_grant ON documents (grant_id) WHERE grant_id IS NOT NULL;
    CREATE INDEX documents_user ON documents (user) WHERE user IS NOT NULL;";

/// SHA-256 of a document's text.
pub type Digest = [u8; 32];

/// A signed policy as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPolicy {
    /// All of it, signatures too.
    pub document: String,
    /// Who signed it.
    pub signers: String,
    /// Who brought it.
    pub source: String,
    /// When.
    pub taken_at: Timestamp,
}

/// The last serial of signed policies, and of what text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSerial {
    /// The serial.
    pub serial: u64,
    /// Of what.
    pub digest: Digest,
}

/// A grant or a revocation that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenDocument {
    /// Of its text.
    pub digest: Digest,
    /// What it is.
    pub kind: DocumentKind,
    /// The grant that it gives or ends.
    pub grant: Option<GrantId>,
    /// The user whose grants it ends.
    pub user: Option<UserName>,
    /// From when it counts.
    pub not_before: Timestamp,
    /// When it was taken.
    pub taken_at: Timestamp,
}

/// What stands against a signed grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Nothing.
    Nothing,
    /// It was given already.
    Given,
    /// Its id was given by another document.
    Other,
    /// A revocation was there first.
    Revoked,
}

pub(super) fn put_policy(
    connection: &Connection,
    signed: &SignedPolicy,
    last: LastSerial,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO signed_policy VALUES (1, ?1, ?2, ?3, ?4)")?
        .execute(params![signed.document, signed.signers, signed.source, signed.taken_at.micros()])?;
    // An earlier one never takes the place of a later one.
    connection
        .prepare_cached(
            "INSERT INTO serials VALUES (?1, ?2, ?3)
             ON CONFLICT (kind) DO UPDATE SET serial = excluded.serial, digest = excluded.digest
             WHERE excluded.serial > serials.serial",
        )?
        .execute(params![DocumentKind::Policy.as_str(), stored(last.serial), last.digest])
        .map(drop)
}

pub(super) fn put_document(connection: &Connection, taken: &TakenDocument) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO documents VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            taken.digest,
            taken.kind.as_str(),
            taken.grant.as_ref().map(GrantId::as_str),
            taken.user.as_ref().map(UserName::as_str),
            taken.not_before.micros(),
            taken.taken_at.micros(),
        ])
        .map(drop)
}

/// The signed policy that is kept, and the last serial.
pub(super) fn policy(
    connection: &Connection,
) -> rusqlite::Result<(Option<SignedPolicy>, Option<LastSerial>)> {
    let kept = connection
        .query_row("SELECT document, signers, source, taken_at FROM signed_policy", [], |row| {
            let taken_at = Timestamp::from_micros(row.get(3)?);
            let (document, signers, source) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(SignedPolicy { document, signers, source, taken_at })
        })
        .optional()?;
    let last = connection
        .query_row(
            "SELECT serial, digest FROM serials WHERE kind = ?1",
            [DocumentKind::Policy.as_str()],
            |row| {
                let serial: i64 = row.get(0)?;
                Ok(LastSerial { serial: serial.unsigned_abs(), digest: row.get(1)? })
            },
        )
        .optional()?;
    Ok((kept, last))
}

fn against(
    connection: &Connection,
    taken: &TakenDocument,
    holder: &UserName,
) -> rusqlite::Result<Against> {
    let id = taken.grant.as_ref().map(GrantId::as_str);
    let mut statement =
        connection.prepare_cached("SELECT digest, kind FROM documents WHERE grant_id = ?1")?;
    let rows = statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let known = rows.collect::<rusqlite::Result<Vec<(Digest, String)>>>()?;
    if known.iter().any(|(digest, _)| *digest == taken.digest) {
        return Ok(Against::Given);
    }
    if known.iter().any(|(_, kind)| kind == DocumentKind::Revocation.as_str()) {
        return Ok(Against::Revoked);
    }
    if !known.is_empty() {
        return Ok(Against::Other);
    }
    let revoked: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM documents WHERE user = ?1 AND not_before >= ?2)",
        )?
        .query_row(params![holder.as_str(), taken.not_before.micros()], |row| row.get(0))?;
    Ok(if revoked { Against::Revoked } else { Against::Nothing })
}

fn is_taken(connection: &Connection, digest: &Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM documents WHERE digest = ?1)")?
        .query_row([digest], |row| row.get(0))
}

/// Serials are below 2^53.
fn stored(serial: u64) -> i64 {
    i64::try_from(serial).unwrap_or(i64::MAX)
}

impl Store {
    /// Whether this grant or revocation was taken before.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn is_taken(&self, digest: Digest) -> Result<bool, StoreError> {
        self.query(move |connection| is_taken(connection, &digest)).await
    }

    /// What stands against this grant to that user.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn against(
        &self,
        taken: TakenDocument,
        holder: UserName,
    ) -> Result<Against, StoreError> {
        self.query(move |connection| against(connection, &taken, &holder)).await
    }

    /// The users whose grants were revoked by signed documents no earlier than this.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn revoked_since(&self, since: Timestamp) -> Result<BTreeSet<UserName>, StoreError> {
        self.query(move |connection| {
            let sql = "SELECT DISTINCT user FROM documents
                       WHERE user IS NOT NULL AND not_before >= ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([since.micros()], |row| super::rows::text(row, 0))?;
            rows.collect()
        })
        .await
    }

    /// The policy of this host's own that is in force, as it was read.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read.
    pub async fn own_policy(&self) -> Result<Vec<stint_policy::SourceFile>, StoreError> {
        self.query(super::rows::policy_in_force).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        digest: u8,
        kind: DocumentKind,
        grant: Option<&str>,
        user: Option<&str>,
    ) -> TakenDocument {
        TakenDocument {
            digest: [digest; 32],
            kind,
            grant: grant.map(|id| id.parse().unwrap()),
            user: user.map(|user| user.parse().unwrap()),
            not_before: Timestamp::from_micros(100),
            taken_at: Timestamp::from_micros(200),
        }
    }

    #[test]
    fn no_serial_goes_back_and_what_was_taken_is_known() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATION).unwrap();
        assert_eq!(policy(&connection).unwrap(), (None, None));
        let signed = |text: &str| SignedPolicy {
            document: text.to_owned(),
            signers: "alice@example.org".to_owned(),
            source: "by hand".to_owned(),
            taken_at: Timestamp::from_micros(5),
        };
        let last = |serial, digest| LastSerial { serial, digest: [digest; 32] };
        put_policy(&connection, &signed("seven"), last(7, 7)).unwrap();
        put_policy(&connection, &signed("six"), last(6, 6)).unwrap();
        assert_eq!(policy(&connection).unwrap(), (Some(signed("six")), Some(last(7, 7))));

        let alice: UserName = "alice".parse().unwrap();
        let grant = taken(1, DocumentKind::Grant, Some("abcdefgh"), None);
        assert_eq!(against(&connection, &grant, &alice).unwrap(), Against::Nothing);
        put_document(&connection, &grant).unwrap();
        assert_eq!(against(&connection, &grant, &alice).unwrap(), Against::Given);
        let other = TakenDocument { digest: [2; 32], ..grant };
        assert_eq!(against(&connection, &other, &alice).unwrap(), Against::Other);

        let end = taken(3, DocumentKind::Revocation, Some("bcdefghj"), None);
        put_document(&connection, &end).unwrap();
        assert!(
            is_taken(&connection, &[3; 32]).unwrap() && !is_taken(&connection, &[4; 32]).unwrap()
        );
        let late = taken(4, DocumentKind::Grant, Some("bcdefghj"), None);
        assert_eq!(against(&connection, &late, &alice).unwrap(), Against::Revoked);

        put_document(&connection, &taken(5, DocumentKind::Revocation, None, Some("alice")))
            .unwrap();
        let before = taken(6, DocumentKind::Grant, Some("cdefghjk"), None);
        assert_eq!(against(&connection, &before, &alice).unwrap(), Against::Revoked);
        let after = TakenDocument { not_before: Timestamp::from_micros(101), ..before };
        assert_eq!(against(&connection, &after, &alice).unwrap(), Against::Nothing);
        let bob = "bob".parse().unwrap();
        assert_eq!(against(&connection, &after, &bob).unwrap(), Against::Nothing);
    }
}
