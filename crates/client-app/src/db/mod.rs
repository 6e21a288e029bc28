//! `client.db`: contacts, what is to be sent, what was received.
//!
//! SQLite in WAL mode with `synchronous = FULL`: what a function here has returned from is on
//! disk. Several processes may use it at the same time. Sealed letters wait in it until the node
//! has them, received ones until they were shown; then their content is erased.

pub(crate) mod contacts;
pub(crate) mod inbox;
pub(crate) mod outbox;

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::error::AppError;

/// Version of the tables below.
const SCHEMA_VERSION: i64 = 2;
/// How long another process may hold the database before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE contacts (
    address   BLOB PRIMARY KEY,
    name      TEXT UNIQUE COLLATE NOCASE,
    node      BLOB NOT NULL,
    card      TEXT,
    version   INTEGER NOT NULL,
    inbox     BLOB,
    our_card  INTEGER NOT NULL DEFAULT 0,
    added_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE outgoing (
    id           BLOB PRIMARY KEY,
    recipient    BLOB NOT NULL,
    node         BLOB NOT NULL,
    plan         TEXT,
    source       TEXT,
    hops         TEXT NOT NULL,
    relay        TEXT,
    parts        INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    digest       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    done         INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE outgoing_parts (
    id         BLOB NOT NULL,
    part       INTEGER NOT NULL,
    message    BLOB,
    size       INTEGER NOT NULL,
    acceptance TEXT,
    PRIMARY KEY (id, part)
) STRICT;
CREATE TABLE received (
    sender       BLOB NOT NULL,
    id           BLOB NOT NULL,
    content_type TEXT NOT NULL,
    name         TEXT,
    reply_to     BLOB,
    sent_at      INTEGER NOT NULL,
    accepted_at  INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    taken_at     INTEGER NOT NULL,
    body         BLOB,
    transfer     TEXT,
    shown        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sender, id)
) STRICT;
CREATE TABLE transfers (
    sender BLOB NOT NULL,
    id     BLOB NOT NULL,
    state  TEXT NOT NULL,
    PRIMARY KEY (sender, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE parts (
    sender BLOB NOT NULL,
    id     BLOB NOT NULL,
    part   INTEGER NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (sender, id, part)
) STRICT;
";

/// New in version 2.
const GENERATIONS: &str = "
CREATE TABLE generations (
    node       BLOB PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// The database of a home folder.
#[derive(Debug)]
pub(crate) struct Db {
    connection: Connection,
}

impl Db {
    /// Opens the database, and makes it if there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, AppError> {
        let fresh = !path.exists();
        if fresh {
            // SQLite would make it readable to others.
            crate::files::create(path, b"").or_else(|error| match path.exists() {
                true => Ok(()),
                false => Err(error),
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Before the first table: room that letters took is given back to the disk.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What was erased is overwritten, so that no letter can be read out of free pages.
        connection.pragma_update(None, "secure_delete", "ON")?;
        let mut db = Self { connection };
        db.prepare()?;
        Ok(db)
    }

    fn prepare(&mut self) -> Result<(), AppError> {
        let tx = self.write()?;
        let found: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            SCHEMA_VERSION => {}
            0 => {
                tx.execute_batch(SCHEMA)?;
                tx.execute_batch(GENERATIONS)?;
                tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            1 => {
                tx.execute_batch(GENERATIONS)?;
                tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            found => {
                return Err(AppError::Home(format!(
                    "client.db has version {found}, this program knows {SCHEMA_VERSION}: \
                     use a newer program"
                )));
            }
        }
        tx.commit()?;
        Ok(())
    }

    /// Gives freed room back to the disk.
    pub(crate) fn trim(&self) -> Result<(), AppError> {
        let mut statement = self.connection.prepare("PRAGMA incremental_vacuum")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Begins to write. Nobody else writes until it ends.
    fn write(&mut self) -> Result<Transaction<'_>, AppError> {
        Ok(self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

/// SQLite's integers are signed; ours above 2^63 do not occur.
fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_letters_took_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.db");
        let mut db = Db::open(&path).unwrap();
        let pages = |db: &Db| -> i64 {
            db.connection
                .query_row("PRAGMA page_count", [], |row| row.get(0))
                .unwrap()
        };
        let before = pages(&db);
        let foreign = layer_minus_client_sdk::Foreign {
            id: [1; 16],
            body: bytes::Bytes::from(vec![7; 1_000_000]),
            name: None,
        };
        let packet = layer_minus_message::PushedPacket {
            position: Default::default(),
            accepted_at: 0,
            message: bytes::Bytes::new(),
        };
        db.take_foreign(&foreign, "text/plain", &packet, 1).unwrap();
        assert!(pages(&db) > before + 200);
        db.shown((inbox::NOBODY, [1; 16])).unwrap();
        db.trim().unwrap();
        assert!(pages(&db) <= before + 5, "{} pages", pages(&db));
    }

    #[test]
    fn a_newer_database_is_refused_and_ours_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client.db");
        let db = Db::open(&path).unwrap();
        let pragma = |name: &str| -> String {
            let read = |row: &rusqlite::Row<'_>| {
                row.get::<_, String>(0)
                    .or_else(|_| row.get::<_, i64>(0).map(|n| n.to_string()))
            };
            db.connection
                .query_row(&format!("PRAGMA {name}"), [], read)
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(
            (pragma("synchronous"), pragma("secure_delete")),
            ("2".into(), "1".into())
        );
        drop(Db::open(&path).unwrap());
        db.connection
            .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
            .unwrap();
        assert!(matches!(Db::open(&path), Err(AppError::Home(_))));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}
