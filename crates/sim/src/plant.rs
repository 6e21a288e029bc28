//! Bugs that are planted to show that they would be found. They live in this crate's disk and store;
//! the node knows nothing of them.

use layer_minus_node::{Store, StoreError, Table, store::Row};

use crate::disk::{FaultyStore, Sync};

/// A bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// None: what runs is what is released.
    #[default]
    None,
    /// A commit returns before it is on the disk, so that mail is acknowledged too early.
    AcknowledgeBeforeCommit,
    /// Receipts are not found again, so that a retry is charged a second time.
    ChargeTwiceOnRetry,
}

impl Plant {
    pub(crate) const fn sync(self) -> Sync {
        match self {
            Self::AcknowledgeBeforeCommit => Sync::Later,
            Self::None | Self::ChargeTwiceOnRetry => Sync::AtCommit,
        }
    }

    /// The store of a node with this bug.
    pub(crate) const fn store(self, inner: FaultyStore) -> SimStore {
        let forgetful = matches!(self, Self::ChargeTwiceOnRetry);
        SimStore { inner, forgetful }
    }
}

/// The store that nodes of this world run on.
#[derive(Debug)]
pub(crate) struct SimStore {
    inner: FaultyStore,
    /// Whether receipts are not found.
    forgetful: bool,
}

impl SimStore {
    pub(crate) const fn inner(&mut self) -> &mut FaultyStore {
        &mut self.inner
    }
}

impl Store for SimStore {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.inner.begin()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.inner.commit()
    }

    fn rollback(&mut self) -> Result<(), StoreError> {
        self.inner.rollback()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if self.forgetful && table == Table::Receipts {
            return Ok(None);
        }
        self.inner.get(table, key)
    }

    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.inner.put(table, key, value)
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        self.inner.delete(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.inner.scan(table, from, to, limit)
    }

    fn has_room(&self) -> Result<bool, StoreError> {
        self.inner.has_room()
    }
}
