//! SQLite alone, with the settings of the store: the peer that benches measure beside it.

use rusqlite::Connection;
use tempfile::TempDir;

/// An empty table `t` of keys and values, in a folder of its own.
pub(crate) fn open() -> (Connection, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL;
             PRAGMA cache_size = -32768; PRAGMA secure_delete = FAST;
             CREATE TABLE t (id INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB)",
        )
        .unwrap();
    for pragma in [
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 2048",
    ] {
        let mut statement = connection.prepare(&format!("PRAGMA {pragma}")).unwrap();
        let _ = statement.query([]).unwrap().next().unwrap();
    }
    (connection, folder)
}
