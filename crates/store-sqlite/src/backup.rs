//! Copying a store that is in use.

use std::path::Path;

use layer_minus_node::store::StoreError;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, OpenFlags, ffi};

use crate::error::from_sqlite;
use crate::files::{self, Draft};
use crate::open::{absolute, harden};
use crate::options::{READ_ONLY_CACHE_BYTES, READ_ONLY_TIMEOUT};
use crate::store::SqliteStore;

/// Pages copied between two looks at whether it is done.
const PAGES_PER_STEP: i32 = 1024;

impl SqliteStore {
    /// Copies what is committed now into a new file at `path`, while this and other processes go
    /// on reading and writing. Returns the size of the copy in bytes.
    ///
    /// The copy appears whole or not at all, is for its owner alone, and opens like any store. The
    /// log of the original cannot shrink while it is made. Damaged rows are copied as they are:
    /// [`SqliteStore::verify`] the copy.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when `path` exists, [`StoreError::Full`] without room for it.
    pub fn backup_to(&self, path: impl AsRef<Path>) -> Result<u64, StoreError> {
        let path = absolute(path.as_ref())?;
        let taken = || {
            StoreError::Failed(format!(
                "{} exists, a backup does not overwrite it",
                path.display()
            ))
        };
        if path.exists() {
            return Err(taken());
        }
        files::make_folder(&path)?;
        let draft = Draft::new(&path)?;
        // A connection of its own, so that an open transaction here is no hindrance and no part.
        let source = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(from_sqlite)?;
        harden(&source, READ_ONLY_TIMEOUT, READ_ONLY_CACHE_BYTES)?;
        let mut target = Connection::open_with_flags(
            draft.as_path(),
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(from_sqlite)?;
        let bytes = copy(&source, &mut target).map_err(from_sqlite)?;
        target.close().map_err(|(_, error)| from_sqlite(error))?;
        if draft.publish()? {
            Ok(bytes)
        } else {
            Err(taken())
        }
    }
}

fn copy(source: &Connection, target: &mut Connection) -> rusqlite::Result<u64> {
    // One snapshot for all steps: a write by another process would start the copy anew.
    source.execute_batch("BEGIN")?;
    let pages: u64 = source.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let page_bytes: u64 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let backup = Backup::new(source, target)?;
    loop {
        match backup.step(PAGES_PER_STEP)? {
            StepResult::Done => break,
            StepResult::More => {}
            // The snapshot is held and the target is ours alone: whoever locks either is a fault.
            _ => {
                return Err(Error::SqliteFailure(
                    ffi::Error::new(ffi::SQLITE_BUSY),
                    None,
                ));
            }
        }
    }
    drop(backup);
    source.execute_batch("COMMIT")?;
    Ok(pages.saturating_mul(page_bytes))
}
