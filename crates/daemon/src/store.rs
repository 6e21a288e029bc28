//! The node's database: where it is, and that one process runs on it.

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
};

use layer_minus_node::{Store as _, StoreError, Table};
use layer_minus_store_sqlite::{SqliteStore, check_log};

use crate::{config::Config, error::DaemonError, files};

const STORE_FILE: &str = "store.db";
const LOCK_FILE: &str = "running.lock";
/// Names the store's generation: what clients' cursors belong to. A node gives a store without it a
/// new one, so that cursors from after a backup are not believed.
const GENERATION_KEY: &[u8] = b"generation";
/// In a copy that `backup` made: when, unix seconds. No node runs on a store with it.
const BACKUP_KEY: &[u8] = b"backup";

/// Where the database is.
pub(crate) fn path(config: &Config) -> PathBuf {
    config.data.join(STORE_FILE)
}

/// Makes a store's error say which store.
pub(crate) fn failed(config: &Config) -> impl Fn(StoreError) -> DaemonError + use<> {
    let path = path(config);
    move |source| DaemonError::Store {
        path: path.clone(),
        source,
    }
}

/// Room on the disk that a running node holds back, bytes: twice the log that SQLite moves into the
/// database at a time.
const BALLAST_BYTES: u64 = 32 << 20;
/// Lanes forgotten at a time.
const LANES_PER_STEP: usize = 1_000;

/// Opens it for writing; it is made if there is none.
pub(crate) fn open(config: &Config) -> Result<SqliteStore, DaemonError> {
    SqliteStore::open(path(config), config.store.options()).map_err(failed(config))
}

/// Opens it for reading, also while the node runs. Once in a process, as its log is looked at.
pub(crate) fn open_read_only(config: &Config) -> Result<SqliteStore, DaemonError> {
    check_log(path(config)).map_err(failed(config))?;
    SqliteStore::open_read_only(path(config)).map_err(failed(config))
}

/// Opens it for a node that is to run on it: before any other handle of the process, as its log is
/// looked at.
pub(crate) fn open_to_run(config: &Config) -> Result<SqliteStore, DaemonError> {
    check_log(path(config)).map_err(failed(config))?;
    let mut options = config.store.options();
    // It has to make room when the disk is full.
    options.ballast_bytes = BALLAST_BYTES;
    let store = SqliteStore::open(path(config), options).map_err(failed(config))?;
    match store.get(Table::Meta, BACKUP_KEY) {
        Ok(None) => Ok(store),
        // What was seen since is not in it: with the same key the node would take it again.
        Ok(Some(_)) => Err(DaemonError::Failed(format!(
            "{} is a copy that `backup` made: move it elsewhere, then `restore` it",
            path(config).display()
        ))),
        Err(error) => Err(failed(config)(error)),
    }
}

/// Makes a copy what it is: a backup, of no generation.
pub(crate) fn mark_as_backup(copy: &mut SqliteStore, now: u64) -> Result<(), StoreError> {
    copy.begin()?;
    copy.delete(Table::Meta, GENERATION_KEY)?;
    copy.put(Table::Meta, BACKUP_KEY, &now.to_be_bytes())?;
    copy.commit()
}

/// Makes a backup a store that a node runs on, of a generation of its own. Returns when the backup
/// was made, if it says so.
///
/// The lanes that others had opened are gone: they open new ones, and show what they were promised since. On an
/// old lane the node would promise the same totals once more, and what is carried meanwhile would be lost to them.
pub(crate) fn unmark(copy: &mut SqliteStore) -> Result<Option<u64>, StoreError> {
    copy.begin()?;
    let made_at = copy.get(Table::Meta, BACKUP_KEY)?;
    copy.delete(Table::Meta, GENERATION_KEY)?;
    copy.delete(Table::Meta, BACKUP_KEY)?;
    loop {
        let lanes = copy.scan(Table::Lanes, &[], &[0xff; 17], LANES_PER_STEP)?;
        for (lane, _) in &lanes {
            copy.delete(Table::Lanes, lane)?;
        }
        if lanes.len() < LANES_PER_STEP {
            break;
        }
    }
    copy.commit()?;
    Ok(made_at
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_be_bytes))
}

/// Held while a node runs on a data folder: a second one would have two writers believe that they
/// are alone. The system releases it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[allow(dead_code)] File);

pub(crate) fn lock(config: &Config) -> Result<Lock, DaemonError> {
    let path = config.data.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(files::failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            let data = config.data.display();
            Err(DaemonError::Failed(format!("another node runs on {data}")))
        }
        Err(TryLockError::Error(error)) => Err(files::failed("lock", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use layer_minus_store_sqlite::Options;

    use super::*;

    #[test]
    fn a_backup_that_is_gone_on_from_has_no_lanes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STORE_FILE);
        let mut store = SqliteStore::open(&path, Options::default()).unwrap();
        store.begin().unwrap();
        for lane in 0..LANES_PER_STEP as u64 + 1 {
            store
                .put(Table::Lanes, &lane.to_be_bytes(), b"lane")
                .unwrap();
        }
        store.commit().unwrap();
        mark_as_backup(&mut store, 7).unwrap();
        assert_eq!(unmark(&mut store).unwrap(), Some(7));
        let lanes = store.scan(Table::Lanes, &[], &[0xff; 17], 10).unwrap();
        assert_eq!(lanes, []);
    }
}
