//! Opening a store, and making one.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layer_minus_node::store::StoreError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::ballast::Ballast;
use crate::error::{from_io, from_sqlite};
use crate::files::{self, Draft, LOG_SUFFIXES, beside};
use crate::layout::Statements;
use crate::log::Log;
use crate::options::{
    CHECKPOINT_BYTES, LOG_KEPT_BYTES, Options, READ_ONLY_CACHE_BYTES, READ_ONLY_TIMEOUT,
    STATEMENTS_KEPT,
};
use crate::schema::{self, MIGRATIONS, SCHEMA_VERSION};
use crate::store::SqliteStore;

impl SqliteStore {
    /// Opens the store at `path` for reading and writing; makes it, and its folder, when there is
    /// none; migrates an older one.
    ///
    /// On Unix the files that it makes are for their owner alone (0600, the folder 0700), and an
    /// existing database file loses the permissions of everybody else.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a store of a newer program, [`StoreError::Full`] without room for
    /// a new one, [`StoreError::Failed`] for a file that is damaged or no store. A store that
    /// was refused is left as it is.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = absolute(path.as_ref())?;
        let is_new = !path.exists();
        if is_new {
            create(&path)?;
        }
        files::check_length(&path)?;
        let connection = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(from_sqlite)?;
        harden(&connection, options.busy_timeout, options.cache_bytes)?;
        schema::refuse_newer(schema::version(&connection, &path)?, SCHEMA_VERSION)?;
        files::make_private(&path)?;
        prepare_writing(&connection).map_err(from_sqlite)?;
        require_log(&connection, &path)?;
        schema::migrate(&connection, &path, &MIGRATIONS)?;
        schema::check_tables(&connection, &path)?;
        let ballast =
            (options.ballast_bytes > 0).then(|| Ballast::of(&path, options.ballast_bytes, is_new));
        let store = Self {
            connection,
            path,
            statements: Statements::all(),
            writable: true,
            ballast,
            log: Log::new(options.busy_timeout),
            max_bytes: Cell::new(None),
        };
        store.set_max_bytes(options.max_bytes)?;
        Ok(store)
    }

    /// Opens the store at `path` for reading, also while another process writes it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; and [`StoreError::Failed`] when there is no store, or one that
    /// has to be migrated first.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = absolute(path.as_ref())?;
        files::check_length(&path)?;
        let connection = Connection::open_with_flags(
            &path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(from_sqlite)?;
        harden(&connection, READ_ONLY_TIMEOUT, READ_ONLY_CACHE_BYTES)?;
        let found = schema::version(&connection, &path)?;
        schema::refuse_newer(found, SCHEMA_VERSION)?;
        if found < SCHEMA_VERSION {
            return Err(StoreError::Failed(format!(
                "{} has schema version {found}: open it for writing once to migrate it to \
                 {SCHEMA_VERSION}",
                path.display()
            )));
        }
        schema::check_tables(&connection, &path)?;
        Ok(Self {
            connection,
            path,
            statements: Statements::all(),
            writable: false,
            ballast: None,
            log: Log::new(READ_ONLY_TIMEOUT),
            max_bytes: Cell::new(None),
        })
    }
}

/// The path as SQLite gets it: never a special name, whatever the working directory becomes.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(path).map_err(|error| from_io("cannot use path", path, &error))
}

/// Makes an empty store at `path`, which appears whole or not at all, so that a store file that
/// is empty or cut can only be a damaged one.
fn create(path: &Path) -> Result<(), StoreError> {
    files::make_folder(path)?;
    for log in LOG_SUFFIXES.map(|suffix| beside(path, suffix)) {
        if log.exists() {
            return Err(StoreError::Failed(format!(
                "{} is there and the store it belongs to is not: restore {}, or move both away",
                log.display(),
                path.display()
            )));
        }
    }
    let draft = Draft::new(path)?;
    let found = |connection: &Connection| {
        schema::found(connection).map_err(from_sqlite)?;
        schema::migrate(connection, path, &MIGRATIONS)
    };
    let connection = Connection::open_with_flags(
        draft.as_path(),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(from_sqlite)?;
    found(&connection)?;
    connection
        .close()
        .map_err(|(_, error)| from_sqlite(error))?;
    // False: another process was faster. Then its store is the store.
    draft.publish().map(|_| ())
}

/// Settings of every connection: patience, memory, and no trust in the file.
pub(crate) fn harden(
    connection: &Connection,
    busy_timeout: Duration,
    cache_bytes: u64,
) -> Result<(), StoreError> {
    let set = || {
        connection.busy_timeout(busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        // Negative: in KiB, whatever the size of a page.
        let cache_kib = i64::try_from(cache_bytes / 1024).unwrap_or(i64::MAX);
        connection.pragma_update(None, "cache_size", -cache_kib)
    };
    set().map_err(from_sqlite)
}

/// Settings of a connection that writes: what is committed is on the disk.
fn prepare_writing(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On macOS an ordinary sync leaves data in the cache of the drive.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // What was deleted is overwritten where it lay. "FAST" would leave the pages of long rows as they
    // are, and those are mail: it costs half as much again to delete a megabyte.
    connection.pragma_update(None, "secure_delete", "ON")?;
    let page_bytes: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    connection.pragma_update(
        None,
        "wal_autocheckpoint",
        CHECKPOINT_BYTES / page_bytes.max(1),
    )?;
    connection.pragma_update(None, "journal_size_limit", LOG_KEPT_BYTES)
}

/// Refuses a file system on which SQLite cannot keep a write-ahead log.
fn require_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(from_sqlite)?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(StoreError::Failed(format!(
        "{} cannot have a write-ahead log (journal mode is {mode}): is it on a network drive?",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PRAGMA synchronous`, as SQLite counts it.
    const FULL: i64 = 2;

    #[test]
    fn whoever_writes_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let ask = |store: &SqliteStore, pragma: &str| -> i64 {
            let sql = format!("PRAGMA {pragma}");
            let answer = store.connection.query_row(&sql, [], |row| row.get(0));
            answer.unwrap()
        };
        // Made, and opened again: the setting belongs to the connection, not to the file.
        for _ in 0..2 {
            let store = SqliteStore::open(&path, Options::default()).unwrap();
            assert_eq!(ask(&store, "synchronous"), FULL);
            assert_eq!(ask(&store, "fullfsync"), 1);
            assert_eq!(ask(&store, "checkpoint_fullfsync"), 1);
            let mode: String = store
                .connection
                .query_row("PRAGMA journal_mode", [], |row| row.get(0))
                .unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
