//! Reading everything, to find what is damaged.

use std::fmt;

use layer_minus_node::store::{StoreError, Table};
use rusqlite::params;

use crate::digest;
use crate::error::{from_sqlite, is_damage};
use crate::store::SqliteStore;

/// Rows read under one lock: few, so that the log can shrink between them.
const ROWS_PER_STEP: i64 = 64;
/// Damaged rows that a report lists, and notes on the file's structure: the rest is counted.
pub const MAX_LISTED: usize = 10_000;

/// How far [`SqliteStore::verify`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The table that is being read.
    pub table: Table,
    /// Rows read so far, of all tables.
    pub rows: u64,
    /// Rows of all tables, as they were counted at the beginning.
    pub rows_total: u64,
}

/// What [`SqliteStore::verify`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Rows read, the damaged ones among them.
    pub rows: u64,
    /// Rows that do not match their digest, with their keys as they are now; at most
    /// [`MAX_LISTED`].
    pub damaged: Vec<(Table, Vec<u8>)>,
    /// Damaged rows beyond those listed.
    pub unlisted: u64,
    /// What is wrong with the file's structure, in SQLite's words: rows may be missing, or found
    /// in one way and not in another.
    pub structure: Vec<String>,
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty() && self.structure.is_empty()
    }

    fn add_row(&mut self, table: Table, key: &[u8]) {
        if self.damaged.len() < MAX_LISTED {
            self.damaged.push((table, key.to_vec()));
        } else {
            self.unlisted += 1;
        }
    }

    fn add_note(&mut self, note: String) {
        if self.structure.len() < MAX_LISTED {
            self.structure.push(note);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let damaged = self.unlisted + self.damaged.len() as u64;
        write!(f, "{} rows, {damaged} damaged, structure ", self.rows)?;
        f.write_str(if self.structure.is_empty() {
            "sound"
        } else {
            "damaged"
        })
    }
}

impl SqliteStore {
    /// Reads every row, compares it with its digest and has SQLite check the structure of the
    /// file. `progress` is called after every few rows.
    ///
    /// It reads what is committed, and inside a transaction what that sees. Other handles go on
    /// working.
    ///
    /// # Errors
    /// Only what kept it from looking: damage is in the report.
    pub fn verify(&self, mut progress: impl FnMut(Progress)) -> Result<Report, StoreError> {
        let mut report = Report::default();
        let mut rows_total = 0;
        for table in Table::ALL {
            let sql = format!("SELECT count(*) FROM \"{}\"", table.name());
            match self
                .connection
                .query_row(&sql, [], |row| row.get::<_, u64>(0))
            {
                Ok(rows) => rows_total += rows,
                // The walk will meet it again and note it.
                Err(error) if is_damage(&error) => {}
                Err(error) => return Err(from_sqlite(error)),
            }
        }
        for table in Table::ALL {
            let mut from = Some(Vec::new());
            while let Some(first) = from {
                from = match self.walk(table, &first, &mut report) {
                    Ok(next) => next,
                    Err(error) if is_damage(&error) => {
                        report.add_note(format!("table {table}: {error}"));
                        None
                    }
                    Err(error) => return Err(from_sqlite(error)),
                };
                progress(Progress {
                    table,
                    rows: report.rows,
                    rows_total,
                });
            }
        }
        self.check_structure(&mut report)?;
        Ok(report)
    }

    /// Reads some rows from key `first` on; returns the first key to go on with.
    fn walk(
        &self,
        table: Table,
        first: &[u8],
        report: &mut Report,
    ) -> rusqlite::Result<Option<Vec<u8>>> {
        let Some(sql) = self.statements.get(&table) else {
            return Ok(None);
        };
        let mut statement = self.connection.prepare_cached(&sql.walk)?;
        let mut rows = statement.query(params![first, ROWS_PER_STEP])?;
        let (mut next, mut seen) = (first.to_vec(), 0);
        while let Some(row) = rows.next()? {
            seen += 1;
            report.rows += 1;
            let blob = |column| {
                row.get_ref(column)
                    .ok()
                    .and_then(|value| value.as_blob().ok())
            };
            let Some(key) = blob(0) else {
                report.add_note(format!("table {table}: a key is not bytes"));
                return Ok(None);
            };
            let sound = blob(1)
                .zip(blob(2))
                .is_some_and(|(found, value)| found == digest::of_row(table, key, value));
            if !sound {
                report.add_row(table, key);
            }
            // Also what ends the walk through a tree that leads back into itself.
            if key < next.as_slice() {
                report.add_note(format!("table {table}: keys are not in order"));
                return Ok(None);
            }
            next = [key, &[0]].concat();
        }
        Ok((seen == ROWS_PER_STEP).then_some(next))
    }

    fn check_structure(&self, report: &mut Report) -> Result<(), StoreError> {
        let mut check = || {
            let mut statement = self
                .connection
                .prepare(&format!("PRAGMA integrity_check({MAX_LISTED})"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let note: String = row.get(0)?;
                if note != "ok" {
                    report.add_note(note);
                }
            }
            Ok(())
        };
        match check() {
            Ok(()) => Ok(()),
            Err(error) if is_damage(&error) => {
                report.add_note(error.to_string());
                Ok(())
            }
            Err(error) => Err(from_sqlite(error)),
        }
    }
}
