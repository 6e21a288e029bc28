//! Bugs that are planted to show that they would be found. They live in this crate's disk and store;
//! the node knows nothing of them.

use crate::disk::Sync;

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

    /// Whether receipts are not found.
    pub(crate) const fn forgets_receipts(self) -> bool {
        matches!(self, Self::ChargeTwiceOnRetry)
    }
}
