//! What a database file is: whose it is, its version, and how an older one becomes a newer one.

use std::collections::BTreeMap;
use std::path::Path;

use layer_minus_node::store::{StoreError, Table};
use rusqlite::{Connection, OptionalExtension};

use crate::error::from_sqlite;
use crate::layout;

/// Marks the file as a store of this project: `LM-s` in the header of the database.
pub(crate) const APPLICATION_ID: i32 = 0x4c4d_2d73;
/// Bytes of a page: larger pages make chains of large rows shorter and commits of few small rows
/// longer.
pub(crate) const PAGE_BYTES: u32 = 4096;

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
    // These are fixed once the first page is written.
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
