//! What goes wrong.

use std::{io, path::PathBuf};

use layer_minus_escrow::EscrowError;
use layer_minus_node::{StoreError, admin::SettleError};
use layer_minus_wallet::WalletError;

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// There is no store there.
    #[error("{}: there is no store", .0.display())]
    NoStore(PathBuf),
    /// The node's store.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// A mark that the books refuse.
    #[error("books: {0}")]
    Settle(#[from] SettleError),
    /// The keystore.
    #[error("keystore: {0}")]
    Wallet(#[from] WalletError),
    /// The address of the chain's node.
    #[error("--rpc: {0}")]
    Rpc(String),
    /// The chain or the contract.
    #[error(transparent)]
    Escrow(#[from] EscrowError),
}
