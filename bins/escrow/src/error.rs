//! What goes wrong.

use std::{
    io,
    path::{Path, PathBuf},
};

use layer_minus_escrow::EscrowError;
use layer_minus_node::{StoreError, admin::SettleError};
use layer_minus_wallet::WalletError;

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A file holds no channel.
    #[error("{}: no channel as 'client --json channel' prints it: {source}", path.display())]
    Channel {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The chain is another one than the channel's.
    #[error("the channel is on chain {wanted}, and --rpc speaks for chain {found}")]
    OtherChain { wanted: u64, found: u64 },
    /// The client and the node trust each other without any chain.
    #[error("the channel names no chain: 'client authorize' with --chain-id signs for one")]
    NoChain,
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
    /// What the chain's node shows may be long gone.
    #[error("the chain's node stands still: its latest block is {secs} s old")]
    StandsStill { secs: u64 },
    /// Some of it went wrong, the rest was done.
    #[error("{count} errors, the first: {first}")]
    Some { count: usize, first: String },
    /// The chain or the contract.
    #[error(transparent)]
    Escrow(#[from] EscrowError),
}

impl AgentError {
    /// What came of reading a file.
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
