//! The durable store of a node: SQLite with group commit.
//!
//! [`SqliteStore`] keeps the tables of a node in one SQLite file with a write-ahead log and
//! `synchronous=FULL`: a commit that returned survives power loss. Putting many events into one
//! transaction is what makes it fast; one commit costs one sync of the disk, however many rows it
//! holds.
//!
//! ```no_run
//! use layer_minus_node::store::{Store, Table};
//! use layer_minus_store_sqlite::{Options, SqliteStore};
//!
//! # fn main() -> Result<(), layer_minus_node::store::StoreError> {
//! let mut store = SqliteStore::open("/var/lib/recipient/store.db", Options::default())?;
//! store.begin()?;
//! store.put(Table::Meta, b"greeting", b"hello")?;
//! store.commit()?;
//! assert_eq!(store.get(Table::Meta, b"greeting")?.as_deref(), Some(b"hello".as_slice()));
//! # Ok(())
//! # }
//! ```
//!
//! # What a row carries
//! SQLite has no checksums of its own in a database file, so each row carries a digest over its
//! table, key and value. It is checked at every read; a row that does not match is
//! [`StoreError::Damaged`](layer_minus_node::store::StoreError::Damaged) and never served.
//! [`SqliteStore::verify`] reads everything and also finds what no digest can show: rows that are
//! missing. The digest is no signature: who can write the file can write digests.
//!
//! The log has checksums of SQLite's. From its first damaged page on it counts as never written,
//! as after a power loss. [`check_log`] tells that from a log that lost commits, and is called before
//! a store is opened.
//!
//! # Files
//! Beside `store.db` lie `store.db-wal` and `store.db-shm`: the log holds the newest commits, so
//! the three belong together. A copy of `store.db` alone is not a backup; one made with
//! [`SqliteStore::backup_to`], or with `sqlite3 store.db ".backup …"`, is. Before such a copy is
//! put in the place of a damaged store, the old `-wal` and `-shm` must be moved away with it:
//! SQLite would replay the old log into the new file.
//!
//! `store.db-ballast`, if [`Options::ballast_bytes`] asks for it, holds nothing: it is removed when the
//! disk is full, so that there is room for what makes room.
//!
//! # What is deleted
//! is overwritten in the database file (`secure_delete`). The log holds what was written before until
//! it is emptied, which [`Store::tidy`](layer_minus_node::store::Store::tidy) does soon after, and the
//! last handle when it is closed. What the file system and the drive keep of freed blocks is theirs.
//!
//! # Several processes
//! A daemon keeps the store open while an operator's command writes a grant: each transaction
//! takes the write lock at its beginning and waits for it up to [`Options::busy_timeout`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod backup;
mod ballast;
mod digest;
mod error;
mod files;
mod layout;
mod log;
mod open;
mod options;
mod schema;
mod space;
mod store;
mod verify;
mod wal;

pub use options::Options;
pub use schema::SCHEMA_VERSION;
pub use store::SqliteStore;
pub use verify::{MAX_LISTED, Progress, Report};
pub use wal::check_log;
