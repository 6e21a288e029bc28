//! Room: how much a store takes, how much of it is free, and giving it back.

use std::time::Duration;

use layer_minus_node::store::StoreError;

use crate::error::{from_io, from_sqlite};
use crate::files::{LOG_SUFFIXES, beside};
use crate::options::{RESERVE_BYTES_MIN, RESERVE_PART};
use crate::store::SqliteStore;

/// Free pages given back in one transaction: few, so that other writers get their turn.
const PAGES_PER_STEP: u64 = 1024;

impl SqliteStore {
    /// Bytes that the store takes on disk: the database file and its log.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the file cannot be looked at.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        let failed = |error| from_io("cannot look at", &self.path, &error);
        let mut bytes = std::fs::metadata(&self.path).map_err(failed)?.len();
        for log in LOG_SUFFIXES.map(|suffix| beside(&self.path, suffix)) {
            // It may be gone, or go at this moment.
            bytes += std::fs::metadata(log).map_or(0, |metadata| metadata.len());
        }
        Ok(bytes)
    }

    /// Bytes inside the database file that hold nothing: new rows take them first, and
    /// [`SqliteStore::compact`] gives them back.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when they cannot be counted.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        Ok(self
            .number("freelist_count")?
            .saturating_mul(self.number("page_size")?))
    }

    /// Gives free room in the database file back to the disk and empties the log; returns by how
    /// many bytes the files became smaller.
    ///
    /// It works in small transactions beside other writers and needs no second copy of the store.
    ///
    /// # Errors
    /// [`StoreError::Misuse`] inside a transaction or on a read-only handle, else what the disk
    /// says; what was already given back stays so.
    pub fn compact(&mut self) -> Result<u64, StoreError> {
        if !self.writable {
            return Err(StoreError::Misuse("the store is open for reading only"));
        }
        if self.in_transaction() {
            return Err(StoreError::Misuse(
                "the store cannot be compacted inside a transaction",
            ));
        }
        let before = self.size_bytes()?;
        let mut free = self.number("freelist_count")?;
        while free > 0 {
            self.query(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})"))?;
            let left = self.number("freelist_count")?;
            if left >= free {
                break;
            }
            free = left;
        }
        self.query("PRAGMA wal_checkpoint(TRUNCATE)")?;
        Ok(before.saturating_sub(self.size_bytes()?))
    }

    /// Changes the limit that [`Options::max_bytes`](crate::Options::max_bytes) set for this
    /// handle.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when SQLite refuses.
    pub fn set_max_bytes(&self, max_bytes: Option<u64>) -> Result<(), StoreError> {
        /// SQLite's own limit, 2^32 - 2 pages.
        const MAX_PAGES: u64 = 0xffff_fffe;
        let page_bytes = self.number("page_size")?.max(1);
        // Zero pages would only ask.
        let pages = max_bytes.map_or(MAX_PAGES, |bytes| (bytes / page_bytes).clamp(1, MAX_PAGES));
        self.query(&format!("PRAGMA max_page_count = {pages}"))?;
        self.max_bytes.set(max_bytes);
        Ok(())
    }

    /// Whether more is left under the limit than the reserve.
    pub(crate) fn is_above_reserve(&self) -> Result<bool, StoreError> {
        let Some(max_bytes) = self.max_bytes.get() else {
            return Ok(true);
        };
        let reserve = (max_bytes / RESERVE_PART)
            .max(RESERVE_BYTES_MIN)
            // A limit so small is for tests and trials, which want to store something.
            .min(max_bytes / 2);
        let used = self
            .number("page_count")?
            .saturating_sub(self.number("freelist_count")?)
            .saturating_mul(self.number("page_size")?);
        Ok(max_bytes.saturating_sub(used) > reserve)
    }

    /// Gives up the ballast, unless it was the limit that was reached and not the disk.
    pub(crate) fn release_ballast(&self) {
        let limit = !self.is_above_reserve().unwrap_or(true);
        if let (Some(ballast), false) = (&self.ballast, limit) {
            ballast.release();
        }
    }

    /// On a disk that was full, room inside the file is of no use to anybody: what was collected since goes
    /// back to the disk, a step at a time, until the ballast can be laid again.
    pub(crate) fn give_back(&self) -> Result<(), StoreError> {
        let Some(ballast) = self.ballast.as_ref().filter(|it| it.is_released()) else {
            return Ok(());
        };
        if self.number("freelist_count")? < PAGES_PER_STEP {
            return Ok(());
        }
        match self.query(&format!("PRAGMA incremental_vacuum({PAGES_PER_STEP})")) {
            // Not even for that is there room. What expires will make some.
            Err(StoreError::Full(_)) => return Ok(()),
            done => done?,
        }
        self.empty_log()?;
        ballast.try_soon();
        Ok(())
    }

    /// Moves the log into the database file and cuts it to nothing, unless somebody reads: then it is
    /// for another time.
    pub(crate) fn empty_log(&self) -> Result<(), StoreError> {
        let patience = |time| self.connection.busy_timeout(time).map_err(from_sqlite);
        patience(Duration::ZERO)?;
        let busy: Result<i64, StoreError> = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(from_sqlite);
        patience(self.log.busy_timeout)?;
        if busy? == 0 {
            self.log.was_emptied();
        }
        Ok(())
    }

    pub(crate) fn number(&self, pragma: &str) -> Result<u64, StoreError> {
        self.connection
            .prepare_cached(&format!("PRAGMA {pragma}"))
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(from_sqlite)
    }

    /// Runs a statement to its end, whatever rows it answers.
    fn query(&self, sql: &str) -> Result<(), StoreError> {
        let run = || {
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        };
        run().map_err(from_sqlite)
    }
}
