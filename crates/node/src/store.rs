//! What a node keeps: ordered tables of bytes, one writer, and a commit that means durable.
//!
//! The node never talks to a database. It reads and writes through [`Store`], several events in
//! one transaction (group commit), and lets nothing out before [`Store::commit`] has returned.
//! Every implementation passes the same [conformance suite](crate::conformance).

use std::fmt;

/// The tables of a node. Keys are compared as bytes, so integers in keys are big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Table {
    /// Singletons: schema version, store generation, secrets, totals.
    Meta,
    /// Clients by wallet address.
    Clients,
    /// Encryption key to client address.
    Keys,
    /// Ledger accounts.
    Accounts,
    /// Ledger transfers.
    Transfers,
    /// Mailboxes by client address.
    Mailboxes,
    /// Consumers by client address and consumer id.
    Consumers,
    /// What is known of a stored packet, by client address and sequence number.
    Packets,
    /// The stored packet itself, under the same key.
    Bodies,
    /// Retention: expiry time and packet key.
    Retention,
    /// Acceptances given, by keyed digest of the accepted message.
    Receipts,
    /// Frames seen, until they expire.
    Seen,
    /// The same by expiry time, for sweeping.
    SeenExpiry,
    /// Credit that the operator granted, by wallet address.
    Grants,
    /// Invite codes, by digest.
    Invites,
    /// Lanes: links from other nodes.
    Lanes,
    /// What this node owes others for what they forwarded, by node.
    Payables,
    /// What others owe this node, by node.
    Receivables,
    /// Node records and unaddressed keys that survive a restart.
    Directory,
    /// Clients' charges, by account and number; number 0 is what is known of the account.
    Journal,
    /// Channels of clients, by id: the newest paper of each and what was charged on it.
    Channels,
    /// What an escrow holds for a channel, by channel id.
    Backings,
}

impl Table {
    /// Every table, in the order of its code.
    pub const ALL: [Self; 22] = [
        Self::Meta,
        Self::Clients,
        Self::Keys,
        Self::Accounts,
        Self::Transfers,
        Self::Mailboxes,
        Self::Consumers,
        Self::Packets,
        Self::Bodies,
        Self::Retention,
        Self::Receipts,
        Self::Seen,
        Self::SeenExpiry,
        Self::Grants,
        Self::Invites,
        Self::Lanes,
        Self::Payables,
        Self::Receivables,
        Self::Directory,
        Self::Journal,
        Self::Channels,
        Self::Backings,
    ];

    /// The table's name in files and error texts: lowercase, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Clients => "clients",
            Self::Keys => "keys",
            Self::Accounts => "accounts",
            Self::Transfers => "transfers",
            Self::Mailboxes => "mailboxes",
            Self::Consumers => "consumers",
            Self::Packets => "packets",
            Self::Bodies => "bodies",
            Self::Retention => "retention",
            Self::Receipts => "receipts",
            Self::Seen => "seen",
            Self::SeenExpiry => "seen_expiry",
            Self::Grants => "grants",
            Self::Invites => "invites",
            Self::Lanes => "lanes",
            Self::Payables => "payables",
            Self::Receivables => "receivables",
            Self::Directory => "directory",
            Self::Journal => "journal",
            Self::Channels => "channels",
            Self::Backings => "backings",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a store could not do what it was asked.
///
/// After any of these, from a read as well, the open transaction is rolled back and none is open:
/// what follows without a new [`Store::begin`] is refused, so that half of a transaction is never
/// committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk has no room; nothing of the transaction was kept.
    #[error("store is full: {0}")]
    Full(String),
    /// A row does not match its digest: it is reported and never served.
    // The text goes into logs, and keys begin with clients' addresses.
    #[error("damaged row in {table}: `ledger verify` names it")]
    Damaged {
        /// The table of the row.
        table: Table,
        /// The key, in hexadecimal.
        key: String,
    },
    /// The store was written by a newer version of this program.
    #[error("store has schema version {found}, this program knows up to {known}")]
    Newer {
        /// The version in the store.
        found: u32,
        /// The newest version this program can read.
        known: u32,
    },
    /// A write was tried outside a transaction, or a transaction inside another.
    #[error("store transaction misused: {0}")]
    Misuse(&'static str),
    /// Anything else that the disk or the database said.
    #[error("store failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// A row that is not what it should be.
    pub(crate) fn damaged(table: Table, key: impl AsRef<[u8]>) -> Self {
        Self::Damaged {
            table,
            key: hex::encode(key),
        }
    }
}

/// A row: its key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Ordered tables with one writer.
///
/// Writes go into the open transaction and are visible to the reads that follow. `commit` returns
/// when everything in the transaction would survive power loss; `rollback`, a failed `commit` and a
/// drop of the store leave nothing of it.
pub trait Store: Send {
    /// Begins a transaction; none may be open.
    fn begin(&mut self) -> Result<(), StoreError>;
    /// Makes the transaction durable; one must be open.
    fn commit(&mut self) -> Result<(), StoreError>;
    /// Forgets the transaction. Without one it does nothing, so that it may follow any error.
    fn rollback(&mut self) -> Result<(), StoreError>;
    /// The value under `key`: the open transaction's, or else the newest committed one.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Sets the value under `key`. Keys and values may be empty; values may be megabytes.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
    /// Removes the value under `key`; no value there is no error.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError>;
    /// Up to `limit` rows with `from <= key < to` in ascending order of key; none when `from` is
    /// not below `to`.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError>;
    /// Whether there is room for new mail beyond the reserve that collecting and expiring it need. A
    /// store that is never full says yes.
    fn has_room(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
    /// Told outside transactions when nothing else is going on: the time to wipe what was removed.
    fn tidy(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn begin(&mut self) -> Result<(), StoreError> {
        (**self).begin()
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        (**self).commit()
    }
    fn rollback(&mut self) -> Result<(), StoreError> {
        (**self).rollback()
    }
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).get(table, key)
    }
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        (**self).put(table, key, value)
    }
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        (**self).delete(table, key)
    }
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        (**self).scan(table, from, to, limit)
    }
    fn has_room(&self) -> Result<bool, StoreError> {
        (**self).has_room()
    }
    fn tidy(&mut self) -> Result<(), StoreError> {
        (**self).tidy()
    }
}
