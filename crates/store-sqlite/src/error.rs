//! What SQLite and the file system say, as errors of a store.

use std::io;
use std::path::Path;

use layer_minus_node::store::{StoreError, Table};
use rusqlite::{ErrorCode, ffi};

/// The error of a store for one of SQLite.
pub(crate) fn from_sqlite(error: rusqlite::Error) -> StoreError {
    let Some(cause) = error.sqlite_error() else {
        return StoreError::Failed(error.to_string());
    };
    match cause.code {
        ErrorCode::DiskFull => StoreError::Full(error.to_string()),
        // Growing the shared index of the log fails like this, and only for want of room.
        _ if cause.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::Full(error.to_string())
        }
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            StoreError::Failed(format!("another process keeps the store locked: {error}"))
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Failed(format!(
            "the database file is damaged, restore it from a backup: {error}"
        )),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// The error of a store for one of the file system, about `path`.
pub(crate) fn from_io(what: &str, path: &Path, error: &io::Error) -> StoreError {
    let text = format!("{what} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full(text)
        }
        _ => StoreError::Failed(text),
    }
}

/// A row that is not what was written.
pub(crate) fn damaged(table: Table, key: &[u8]) -> StoreError {
    StoreError::Damaged {
        table,
        key: key.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// True when the file, not the caller or another process, is to blame.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::SystemIoFailure)
    )
}
