//! The store itself: opening, transactions, rows.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use layer_minus_node::store::{Row, Store, StoreError, Table};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use crate::digest;
use crate::error::{damaged, from_io, from_sqlite};
use crate::files::{self, Draft, LOG_SUFFIXES, beside};
use crate::layout::Statements;
use crate::options::{
    CHECKPOINT_BYTES, LOG_KEPT_BYTES, Options, READ_ONLY_CACHE_BYTES, READ_ONLY_TIMEOUT,
    STATEMENTS_KEPT,
};
use crate::schema::{self, MIGRATIONS, SCHEMA_VERSION};

const NO_TRANSACTION: StoreError = StoreError::Misuse("no transaction is open");

/// The tables of a node in an SQLite file.
///
/// One handle is one connection: it may move between threads and is used by one at a time.
pub struct SqliteStore {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) statements: BTreeMap<Table, Statements>,
    pub(crate) writable: bool,
}

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
        if !path.exists() {
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
        let store = Self {
            connection,
            path,
            statements: Statements::all(),
            writable: true,
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
        })
    }

    /// Lets every read of this handle, which is for reading only, see what is committed now, for as
    /// long as the handle lives: sums over several tables then agree while another process writes.
    /// A read that fails ends it.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] for a handle that writes: it has transactions.
    pub fn pin(&self) -> Result<(), StoreError> {
        if self.writable || self.in_transaction() {
            return Err(StoreError::Misuse(
                "only a handle for reading is pinned, once",
            ));
        }
        self.run("BEGIN", [])?;
        // A deferred transaction sees what is committed at its first read.
        self.settle(schema::version(&self.connection, &self.path).map(|_| ()))
    }

    /// Where the database file is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of the tables in the file: after opening, [`SCHEMA_VERSION`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] when it cannot be read.
    pub fn schema_version(&self) -> Result<u32, StoreError> {
        schema::version(&self.connection, &self.path)
    }

    /// True while a transaction is open.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(crate) fn of(&self, table: Table) -> Result<&Statements, StoreError> {
        self.statements
            .get(&table)
            .ok_or_else(|| StoreError::Failed(format!("this store has no table {table}")))
    }

    /// Hands on an outcome; an error ends the transaction.
    fn settle<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.is_err() && self.in_transaction() {
            // When even that fails, SQLite has gone into its error state, which ends it too.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        outcome
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<(), StoreError> {
        let run = || self.connection.prepare_cached(sql)?.execute(params);
        run().map(|_| ()).map_err(from_sqlite)
    }

    fn write(
        &self,
        table: Table,
        run: impl FnOnce(&Statements) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let outcome = if self.in_transaction() {
            self.of(table).and_then(run)
        } else {
            Err(NO_TRANSACTION)
        };
        self.settle(outcome)
    }

    fn read(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached(&self.of(table)?.get)
            .map_err(from_sqlite)?;
        let mut rows = statement.query([key]).map_err(from_sqlite)?;
        let Some(row) = rows.next().map_err(from_sqlite)? else {
            return Ok(None);
        };
        let found = row.get_ref(0).map_err(from_sqlite)?.as_blob();
        let value = row.get_ref(1).map_err(from_sqlite)?.as_blob();
        match (found, value) {
            (Ok(found), Ok(value)) if found == digest::of_row(table, key, value) => {
                Ok(Some(value.to_vec()))
            }
            _ => Err(damaged(table, key)),
        }
    }

    fn read_range(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self
            .connection
            .prepare_cached(&self.of(table)?.scan)
            .map_err(from_sqlite)?;
        let mut rows = statement
            .query(params![from, to, limit])
            .map_err(from_sqlite)?;
        let mut found: Vec<Row> = Vec::new();
        while let Some(row) = rows.next().map_err(from_sqlite)? {
            let (key, value) = checked_row(table, row)?;
            // A damaged tree can lead astray: to rows out of order, twice, or out of the range.
            let after = found.last().is_none_or(|(last, _)| last.as_slice() < key);
            if !after || key < from || key >= to {
                return Err(damaged(table, key));
            }
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }
}

/// Key and value of a row with key, digest and value, if they match.
pub(crate) fn checked_row<'a>(
    table: Table,
    row: &'a rusqlite::Row<'_>,
) -> Result<(&'a [u8], &'a [u8]), StoreError> {
    let blob = |column| {
        row.get_ref(column)
            .ok()
            .and_then(|value| value.as_blob().ok())
    };
    let key = blob(0).ok_or_else(|| damaged(table, b""))?;
    match (blob(1), blob(2)) {
        (Some(found), Some(value)) if found == digest::of_row(table, key, value) => {
            Ok((key, value))
        }
        _ => Err(damaged(table, key)),
    }
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        if !self.writable {
            return Err(StoreError::Misuse("the store is open for reading only"));
        }
        if self.in_transaction() {
            return self.settle(Err(StoreError::Misuse("a transaction was already open")));
        }
        // The write lock at once: a transaction never has to be given up half-way for another's.
        self.run("BEGIN IMMEDIATE", [])
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if !self.in_transaction() {
            return Err(NO_TRANSACTION);
        }
        let outcome = self.run("COMMIT", []);
        self.settle(outcome)
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        if self.in_transaction() {
            self.run("ROLLBACK", [])
        } else {
            Ok(())
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.settle(self.read(table, key))
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let digest = digest::of_row(table, key, value);
        self.write(table, |sql| self.run(&sql.put, params![key, digest, value]))
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.write(table, |sql| self.run(&sql.delete, [key]))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        if from >= to || limit == 0 {
            return Ok(Vec::new());
        }
        self.settle(self.read_range(table, from, to, limit))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .field("writable", &self.writable)
            .field("in_transaction", &self.in_transaction())
            .finish_non_exhaustive()
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
    // Deleted secrets are overwritten where they lay, as far as that costs no extra writes.
    connection.pragma_update(None, "secure_delete", "FAST")?;
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
