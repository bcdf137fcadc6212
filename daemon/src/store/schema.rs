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
        transaction.pragma_update(None, "user_version", version_after(number)).map_err(Err)?;
        transaction.commit().map_err(Err)?;
    }
    Ok(())
}

/// The tables whose rows decide something; they stay small. The record is not among them: it grows,
/// and reading all of it would keep every sudo waiting at the start.
const CHECKED: [&str; 5] = ["grants", "memberships", "policy_in_force", "sessions", "clock"];

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
