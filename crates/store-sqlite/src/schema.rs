//! What a database file is: whose it is, its version, and how an older one becomes a newer one.

use std::collections::BTreeMap;
use std::path::Path;

use layer_minus_node::store::{StoreError, Table};
use rusqlite::{Connection, OptionalExtension};

use crate::error::from_sqlite;
use crate::layout;

/// Marks the file as a store of this project: `LM-s` in the header of the database.
pub(crate) const APPLICATION_ID: i32 = 0x4c4d_2d73;
/// Bytes of a page. Pages of 16 KiB store bodies a tenth faster and make a commit of few rows twice
/// as long; pages of 4 KiB store them a third slower (measured, 16 KB and 1 MB).
pub(crate) const PAGE_BYTES: u32 = 8192;

const CREATE_INFO: &str = "CREATE TABLE store_info (name TEXT NOT NULL PRIMARY KEY, \
     value INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/// Changes the tables from one version to the next, inside a transaction.
pub(crate) type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// Entry `i` leads from version `i` to version `i + 1`. A published entry never changes.
pub(crate) const MIGRATIONS: [Migration; 1] = [create_tables];

/// The version of the tables that this program writes.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// Version 1: every table, empty.
fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    Table::ALL
        .into_iter()
        .try_for_each(|table| connection.execute_batch(&layout::create(table)))
}

/// Makes an empty database into a store of version 0, which has no tables yet.
pub(crate) fn found(connection: &Connection) -> rusqlite::Result<()> {
    // These are fixed once the first page is written. The map that incremental vacuuming keeps
    // also makes the deletion of a large row eight times faster: its pages need not be read.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; {CREATE_INFO}; \
         INSERT INTO store_info (name, value) VALUES ('schema_version', 0); COMMIT"
    ))
}

/// The version of the tables, of a file that is a store at all.
pub(crate) fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let id: i32 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(from_sqlite)?;
    if id != APPLICATION_ID {
        return Err(StoreError::Failed(format!(
            "{} is not a store: its application id is {id:#010x}, not {APPLICATION_ID:#010x}",
            path.display()
        )));
    }
    let version: Option<i64> = connection
        .query_row(
            "SELECT value FROM store_info WHERE name = 'schema_version'",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(from_sqlite)?;
    version
        .and_then(|version| u32::try_from(version).ok())
        .ok_or_else(|| {
            StoreError::Failed(format!("{} has no valid schema version", path.display()))
        })
}

/// Refuses a version that this program does not know.
pub(crate) fn refuse_newer(found: u32, known: u32) -> Result<(), StoreError> {
    if found > known {
        Err(StoreError::Newer { found, known })
    } else {
        Ok(())
    }
}

/// Brings the tables to the version after the last of `migrations`, in one transaction.
pub(crate) fn migrate(
    connection: &Connection,
    path: &Path,
    migrations: &[Migration],
) -> Result<(), StoreError> {
    let known = migrations.len() as u32;
    if version(connection, path)? == known {
        return Ok(());
    }
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(from_sqlite)?;
    let outcome = (|| {
        // Once more under the lock: another process may have migrated it meanwhile.
        let found = version(connection, path)?;
        refuse_newer(found, known)?;
        for migration in migrations.iter().skip(found as usize) {
            migration(connection).map_err(from_sqlite)?;
        }
        connection
            .execute(
                "UPDATE store_info SET value = ?1 WHERE name = 'schema_version'",
                [known],
            )
            .map_err(from_sqlite)?;
        connection.execute_batch("COMMIT").map_err(from_sqlite)
    })();
    if outcome.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK").map_err(from_sqlite)?;
    }
    outcome
}

/// Refuses a file whose tables are not exactly this version's: a damaged schema would send keys
/// to the wrong table, or writes to nowhere.
pub(crate) fn check_tables(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
        .map_err(from_sqlite)?;
    let found: BTreeMap<String, String> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(from_sqlite)?;
    let tables = Table::ALL.map(|table| (table.name(), layout::create(table)));
    for (name, sql) in tables
        .iter()
        .map(|(name, sql)| (*name, sql.as_str()))
        .chain([("store_info", CREATE_INFO)])
    {
        if found.get(name).map(String::as_str) != Some(sql) {
            return Err(StoreError::Failed(format!(
                "table {name} of {} is not what version {SCHEMA_VERSION} has: the file is damaged",
                path.display()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_0(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        found(&connection).unwrap();
        connection
    }

    fn old_table(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE pairs (key BLOB, value BLOB);
             INSERT INTO pairs VALUES (x'01', x'0a'), (x'02', x'0b')",
        )
    }

    fn new_table(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(
            "CREATE TABLE rows (key BLOB PRIMARY KEY, bytes INTEGER, value BLOB);
             INSERT INTO rows SELECT key, length(value), value FROM pairs;
             DROP TABLE pairs",
        )
    }

    fn broken(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("DELETE FROM rows; CREATE TABLE rows (key BLOB)")
    }

    fn names(connection: &Connection) -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
            .unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    fn count(connection: &Connection) -> u32 {
        connection
            .query_row("SELECT count(*) FROM rows", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn an_older_store_goes_through_every_later_migration_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let connection = version_0(&path);
        migrate(&connection, &path, &[old_table]).unwrap();
        assert_eq!(version(&connection, &path).unwrap(), 1);
        assert_eq!(names(&connection), ["store_info", "pairs"]);

        migrate(&connection, &path, &[old_table, new_table]).unwrap();
        migrate(&connection, &path, &[old_table, new_table]).unwrap();
        assert_eq!(version(&connection, &path).unwrap(), 2);
        assert_eq!(names(&connection), ["store_info", "rows"]);
        assert_eq!(count(&connection), 2);

        let other = folder.path().join("other.db");
        let at_once = version_0(&other);
        migrate(&at_once, &other, &[old_table, new_table]).unwrap();
        assert_eq!(
            (version(&at_once, &other).unwrap(), count(&at_once)),
            (2, 2)
        );
    }

    #[test]
    fn a_migration_that_fails_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let connection = version_0(&path);
        migrate(&connection, &path, &[old_table, new_table]).unwrap();
        migrate(&connection, &path, &[old_table, new_table, broken]).unwrap_err();
        assert!(connection.is_autocommit());
        assert_eq!(
            (version(&connection, &path).unwrap(), count(&connection)),
            (2, 2)
        );
    }

    #[test]
    fn a_newer_store_is_not_migrated_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let connection = version_0(&path);
        migrate(&connection, &path, &[old_table, new_table]).unwrap();
        let refused = migrate(&connection, &path, &[old_table]).unwrap_err();
        assert_eq!(refused, StoreError::Newer { found: 2, known: 1 });
    }
}
