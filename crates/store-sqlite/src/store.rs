//! The store itself: transactions and rows.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use layer_minus_node::store::{Row, Store, StoreError, Table};
use rusqlite::{Connection, params};

use crate::ballast::Ballast;
use crate::digest;
use crate::error::{damaged, from_sqlite};
use crate::layout::Statements;
use crate::log::Log;
use crate::schema;

const NO_TRANSACTION: StoreError = StoreError::Misuse("no transaction is open");

/// The tables of a node in an SQLite file.
///
/// One handle is one connection: it may move between threads and is used by one at a time.
pub struct SqliteStore {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) statements: BTreeMap<Table, Statements>,
    pub(crate) writable: bool,
    pub(crate) ballast: Option<Ballast>,
    pub(crate) log: Log,
    /// The limit in force, bytes.
    pub(crate) max_bytes: Cell<Option<u64>>,
}

impl SqliteStore {
    /// Where the database file is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of the tables in the file: after opening,
    /// [`SCHEMA_VERSION`](crate::SCHEMA_VERSION).
    ///
    /// # Errors
    /// [`StoreError::Failed`] when it cannot be read.
    pub fn schema_version(&self) -> Result<u32, StoreError> {
        schema::version(&self.connection, &self.path)
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
        if let Err(StoreError::Full(_)) = &outcome {
            self.release_ballast();
        }
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
        let outcome = if self.writable && self.in_transaction() {
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
        let outcome = self.run("BEGIN IMMEDIATE", []);
        self.settle(outcome)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if !self.writable || !self.in_transaction() {
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
        self.log.holds_deleted();
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

    fn has_room(&self) -> Result<bool, StoreError> {
        let held = self.ballast.as_ref().is_none_or(Ballast::is_held);
        Ok(held && self.settle(self.is_above_reserve())?)
    }

    fn tidy(&mut self) -> Result<(), StoreError> {
        if self.writable && !self.in_transaction() && self.log.is_due(Instant::now()) {
            self.empty_log()?;
        }
        if self.writable && !self.in_transaction() {
            self.give_back()?;
        }
        Ok(())
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
