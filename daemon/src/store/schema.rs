//! The state's tables, as numbered migrations: append only, each taken once, in one transaction.

use rusqlite::Connection;

/// Every migration in order; `user_version` counts those taken.
const MIGRATIONS: &[&str] = &[
    // 1: grants, what stint itself has added, the record, the policy in force, sessions, the clock.
    "CREATE TABLE grants (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('scheduled', 'active', 'ended')),
        starts_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        boot_deadline INTEGER NOT NULL,
        ended_at INTEGER,
        end_reason TEXT,
        origin TEXT NOT NULL,
        reason TEXT NOT NULL,
        ticket TEXT,
        granted_by TEXT NOT NULL,
        policy_key TEXT,
        CHECK ((state = 'ended') = (ended_at IS NOT NULL)),
        CHECK ((state = 'ended') = (end_reason IS NOT NULL))
    ) STRICT;
    CREATE INDEX grants_running ON grants (state) WHERE state <> 'ended';
    CREATE INDEX grants_user ON grants (user);
    CREATE TABLE memberships (
        user TEXT NOT NULL,
        grp TEXT NOT NULL,
        backend TEXT NOT NULL CHECK (backend IN ('files', 'userdb')),
        PRIMARY KEY (user, grp, backend)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE record (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        boot_id TEXT NOT NULL,
        event TEXT NOT NULL,
        message TEXT NOT NULL,
        fields TEXT NOT NULL
    ) STRICT;
    CREATE TABLE policy_in_force (
        ordinal INTEGER PRIMARY KEY,
        path TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        grant_id TEXT,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        service TEXT NOT NULL,
        tty TEXT NOT NULL,
        opened_at INTEGER NOT NULL,
        boot_id TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE clock (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        high_water INTEGER NOT NULL
    ) STRICT;
    INSERT INTO clock VALUES (1, 0);",
    // 2: requests and approvals; what came of them in grants; whose process a session is.
    "CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        user TEXT NOT NULL,
        uid INTEGER NOT NULL,
        role TEXT NOT NULL,
        state TEXT NOT NULL
            CHECK (state IN ('pending', 'approved', 'denied', 'cancelled', 'lapsed')),
        duration INTEGER NOT NULL,
        starts_at INTEGER,
        reason TEXT NOT NULL,
        ticket TEXT,
        extends TEXT,
        created_at INTEGER NOT NULL,
        lapses_at INTEGER NOT NULL,
        groups TEXT NOT NULL,
        terms TEXT NOT NULL,
        approvals TEXT NOT NULL,
        ended_at INTEGER,
        ended_by TEXT,
        note TEXT,
        grant_id TEXT,
        CHECK ((state = 'pending') = (ended_at IS NULL)),
        CHECK ((state = 'pending') = (ended_by IS NULL)),
        CHECK ((state = 'approved') = (grant_id IS NOT NULL))
    ) STRICT;
    CREATE INDEX requests_pending ON requests (state) WHERE state = 'pending';
    CREATE INDEX requests_created ON requests (created_at);
    ALTER TABLE grants ADD COLUMN request TEXT;
    ALTER TABLE grants ADD COLUMN approvals TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE grants ADD COLUMN reviewed_by TEXT;
    ALTER TABLE grants ADD COLUMN reviewed_at INTEGER;
    ALTER TABLE grants ADD COLUMN review_note TEXT;
    CREATE INDEX grants_holder ON grants (uid, role);
    ALTER TABLE sessions ADD COLUMN pid INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE sessions ADD COLUMN pid_started INTEGER NOT NULL DEFAULT 0;",
    // 3: events that wait for hooks.
    super::outbox::MIGRATION,
    // 4: processes that are to be ended; where sessions are.
    super::eviction_rows::MIGRATION,
    // 5: how the host was when grants began, and what they left.
    super::residue_rows::MIGRATION,
    // 6: what was changed by hand.
    super::drift_rows::MIGRATION,
    // 7: the record becomes a chain.
    super::chain_rows::MIGRATION,
    // 8: reviewers' words, and grants by their beginning.
    super::review_rows::MIGRATION,
    // 9: what is counted and no link yet; where the chain begins.
    super::cuts::MIGRATION,
    // 10: since when each standing privilege is known.
    super::standing_rows::MIGRATION,
    // 11: signed documents.
    super::document_rows::MIGRATION,
    // 12: requests by their end.
    super::request_rows::MIGRATION,
];

/// The version that this program writes.
pub const VERSION: usize = MIGRATIONS.len();

/// Takes the migrations that are missing.
///
/// # Errors
/// When a statement fails (nothing of that migration stays), or with `Err(Ok(version))` when the
/// file was written by a later version of stint, which this one must not touch.
pub fn migrate(connection: &mut Connection) -> Result<(), Result<i64, rusqlite::Error>> {
    let version: i64 =
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(Err)?;
    let taken = usize::try_from(version).map_err(|_| Ok(version))?;
    if taken > VERSION {
        return Err(Ok(version));
    }
    for (number, sql) in MIGRATIONS.iter().enumerate().skip(taken) {
        let transaction = connection.transaction().map_err(Err)?;
        transaction.execute_batch(sql).map_err(Err)?;
        if *sql == super::chain_rows::MIGRATION {
            super::chain_rows::link_all(&transaction).map_err(Err)?;
        }
        transaction.pragma_update(None, "user_version", version_after(number)).map_err(Err)?;
        transaction.commit().map_err(Err)?;
    }
    Ok(())
}

/// The tables whose rows decide something, or stand before every write; they stay small. The record
/// is not among them: it grows, and reading all of it would keep every sudo waiting at the start.
const CHECKED: [&str; 17] = [
    "grants",
    "requests",
    "memberships",
    "policy_in_force",
    "sessions",
    "clock",
    "evictions",
    "carriers",
    "first_looks",
    "withdrawn",
    "ruled",
    "local_accounts",
    "chain",
    "floods",
    "signed_policy",
    "serials",
    "documents",
];

/// Checks the tables that decide something, indexes and all (`quick_check`).
///
/// # Errors
/// `Ok` with what is wrong when the file is damaged; `Err` when it could not be read for another
/// reason, such as a full disk, which says nothing of the file.
pub fn check(connection: &Connection) -> Result<(), Result<String, rusqlite::Error>> {
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(damage_or_trouble)?;
    if version == 0 {
        return Ok(());
    }
    for table in CHECKED {
        let there: bool = connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)",
                [table],
                |row| row.get(0),
            )
            .map_err(damage_or_trouble)?;
        // A file of an earlier version has fewer.
        if !there {
            continue;
        }
        let verdict: String = connection
            .query_row(&format!("PRAGMA quick_check({table})"), [], |row| row.get(0))
            .map_err(damage_or_trouble)?;
        if verdict != "ok" {
            return Err(Ok(verdict));
        }
    }
    Ok(())
}

fn damage_or_trouble(error: rusqlite::Error) -> Result<String, rusqlite::Error> {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => Ok(error.to_string()),
        _ => Err(error),
    }
}

fn version_after(number: usize) -> i64 {
    i64::try_from(number).map_or(i64::MAX, |number| number.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", version_after(VERSION)).unwrap();
        assert!(matches!(migrate(&mut connection), Err(Ok(_))));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_kept() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
            .execute_batch(
                "INSERT INTO grants VALUES ('g4t9', 'alice', 1000, 'admin', 'active', 1, 2, 'b', 3,
                    NULL, NULL, 'admin', 'why', NULL, 'root', NULL);
                 INSERT INTO sessions VALUES ('s', NULL, 'alice', 1000, 'sudo', 'pts/0', 1, 'b');",
            )
            .unwrap();
        assert_eq!(check(&connection), Ok(()));
        migrate(&mut connection).unwrap();
        let grants = super::super::rows::grants(&connection, "state <> 'ended'", &[]).unwrap();
        assert_eq!(grants.len(), 1);
        assert!(grants[0].grant.approvals.is_empty() && grants[0].grant.review.is_none());
        assert_eq!(super::super::rows::sessions(&connection, "b").unwrap().len(), 1);
        assert_eq!(check(&connection), Ok(()));
    }

    #[test]
    fn a_file_of_each_version_before_is_taken_on() {
        for version in 1..VERSION {
            let mut connection = Connection::open_in_memory().unwrap();
            for sql in &MIGRATIONS[..version] {
                connection.execute_batch(sql).unwrap();
            }
            connection.pragma_update(None, "user_version", version_after(version - 1)).unwrap();
            connection.execute("UPDATE clock SET high_water = 7", []).unwrap();
            migrate(&mut connection).unwrap();
            let sql = "SELECT high_water, (SELECT count(*) FROM outbox) FROM clock";
            let kept: (i64, i64) =
                connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            assert_eq!(kept, (7, 0), "from version {version}");
        }
    }

    #[test]
    fn a_record_of_an_earlier_version_becomes_a_chain() {
        let mut connection = Connection::open_in_memory().unwrap();
        let before = MIGRATIONS
            .iter()
            .take_while(|sql| **sql != super::super::chain_rows::MIGRATION)
            .inspect(|sql| connection.execute_batch(sql).unwrap())
            .count();
        connection.pragma_update(None, "user_version", version_after(before - 1)).unwrap();
        for number in 0..2_500 {
            let sql = "INSERT INTO record (at, boot_id, event, message, fields)
                       VALUES (?1, 'b', 'check.denied', 'no', '{}')";
            connection.execute(sql, [number]).unwrap();
        }
        migrate(&mut connection).unwrap();
        let head = stint_record::rows::head(&connection).unwrap().unwrap();
        assert_eq!(head.seq, 2_500);
        let mut verifier = stint_record::Verifier::new([head]);
        let page = |after| {
            let since = stint_proto::Timestamp(0);
            stint_record::rows::page(&connection, after, since, 1_000).unwrap()
        };
        let mut after = 0;
        while let Some(next) = page(after).next {
            page(after).links.iter().for_each(|link| verifier.take(link).unwrap());
            after = next;
        }
        assert_eq!((verifier.end(), verifier.head()), (Ok(()), head));
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("UPDATE clock SET high_water = 7", []).unwrap();
        migrate(&mut connection).unwrap();
        let kept: i64 =
            connection.query_row("SELECT high_water FROM clock", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, 7);
    }
}
