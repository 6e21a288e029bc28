//! A node's books and the contract.

use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_provider::DynProvider;
use layer_minus_escrow::{Escrow, EscrowError};
use layer_minus_message::Chain;
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::{Address, Wallet};

use crate::{args::Books, chain, error::AgentError};

/// Channels that the chain is asked about at the same time.
pub(crate) const ASKED_AT_ONCE: usize = 16;
/// How old the latest block may be, seconds. Chains make one every few seconds.
const BLOCK_AGE_SECS_MAX: u64 = 600;

/// The store of a node, and a contract as one caller sees it.
pub(crate) struct Agent {
    pub(crate) store: SqliteStore,
    pub(crate) escrow: Escrow<DynProvider>,
    /// The contract, and the token that counts.
    pub(crate) chain: Chain,
    pub(crate) caller: Address,
    /// Channels that the node was told a deposit of.
    pub(crate) backed: BTreeSet<[u8; 32]>,
}

impl Agent {
    /// Opens the store and asks the chain for its id. Without a wallet it can only look.
    pub(crate) async fn open(
        rpc: &str,
        books: &Books,
        wallet: Option<Wallet>,
    ) -> Result<Self, AgentError> {
        if !books.store.is_file() {
            return Err(AgentError::NoStore(books.store.clone()));
        }
        let store = SqliteStore::open(&books.store, Options::default())?;
        let caller = wallet.as_ref().map_or(Address::ZERO, Wallet::address);
        let escrow = Escrow::new(chain::provider(rpc, wallet)?, books.contract, caller);
        let chain = escrow.chain(books.token).await?;
        Ok(Self {
            store,
            escrow,
            chain,
            caller,
            backed: BTreeSet::new(),
        })
    }

    /// Whether the chain's node answers, and follows its chain.
    pub(crate) async fn awake(&self) -> Result<(), AgentError> {
        // A clock that is behind the chain's is no harm.
        let secs = now().saturating_sub(self.escrow.latest_time().await?);
        match secs > BLOCK_AGE_SECS_MAX {
            true => Err(AgentError::StandsStill { secs }),
            false => Ok(()),
        }
    }

    /// After an error on one channel: whether to go on with the next. If it is the chain's node that is
    /// gone, each further channel would be waited for in vain.
    pub(crate) async fn go_on(&self, error: &EscrowError) -> Result<(), AgentError> {
        match error {
            EscrowError::Chain(_) => {
                self.escrow.latest_time().await?;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[allow(clippy::disallowed_methods)] // a program has a clock
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
