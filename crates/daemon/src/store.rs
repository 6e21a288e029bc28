//! The node's database: where it is, and that one process runs on it.

use std::{
    fs::{File, TryLockError},
    path::PathBuf,
};

use layer_minus_node::StoreError;
use layer_minus_store_sqlite::SqliteStore;

use crate::{config::Config, error::DaemonError, files};

const STORE_FILE: &str = "store.db";
const LOCK_FILE: &str = "running.lock";

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

/// Opens it for the node itself, which has to make room when the disk is full.
pub(crate) fn open_to_run(config: &Config) -> Result<SqliteStore, DaemonError> {
    let mut options = config.store.options();
    options.ballast_bytes = BALLAST_BYTES;
    SqliteStore::open(path(config), options).map_err(failed(config))
}

/// Opens it for writing; it is made if there is none.
pub(crate) fn open(config: &Config) -> Result<SqliteStore, DaemonError> {
    SqliteStore::open(path(config), config.store.options()).map_err(failed(config))
}

/// Opens it for reading, also while the node runs.
pub(crate) fn open_read_only(config: &Config) -> Result<SqliteStore, DaemonError> {
    SqliteStore::open_read_only(path(config)).map_err(failed(config))
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
