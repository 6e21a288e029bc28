//! Between the books of a node and the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_provider::DynProvider;
use layer_minus_escrow::{Batch, Done, Escrow, OnEscrow, Views};
use layer_minus_message::Chain;
use layer_minus_node::admin::{self, Channel, SettleError};
use layer_minus_settlement::{Claim, Plan, Settlement as _, SettlementError};
use layer_minus_store_sqlite::{Options, SqliteStore};
use layer_minus_wallet::{Address, Wallet};

use crate::{args::Books, chain, error::AgentError};

/// Channels read at a time.
const PAGE_ROWS: usize = 256;

/// The store of a node, and a contract as one caller sees it.
pub(crate) struct Agent {
    store: SqliteStore,
    escrow: Escrow<DynProvider>,
    /// The contract, and the token that counts.
    chain: Chain,
    caller: Address,
}

/// What one look came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked {
    pub(crate) channels: u64,
    pub(crate) backed_units: u128,
    pub(crate) marked_units: u128,
}

/// A transaction that claimed or paid out.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) transaction: String,
    pub(crate) channels: usize,
    pub(crate) gas: u64,
}

impl Sent {
    fn new(done: &Done, channels: usize) -> Self {
        Self {
            transaction: done.transaction.to_string(),
            channels,
            gas: done.gas_used,
        }
    }
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
        })
    }

    /// Looks at every client's channel on this contract: what backs it is the node's to count on for so
    /// many seconds, and what was claimed of any channel is marked.
    pub(crate) async fn look(&mut self, certain_secs: u64) -> Result<Looked, AgentError> {
        let mut looked = Looked::default();
        // What is claimed of them for good.
        let mut claimed: BTreeMap<[u8; 32], u128> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = admin::channels(&self.store, after, PAGE_ROWS)?;
            after = page.last().map(|channel| channel.id);
            let full = page.len() == PAGE_ROWS;
            for channel in page {
                if channel.authorization.chain == self.chain {
                    let views = self.back(&channel, certain_secs).await?;
                    let until = channel.authorization.expires_at;
                    looked.channels += 1;
                    looked.backed_units += views.limit_units(until);
                    claimed.insert(channel.id, views.last_final.claimed_units);
                }
            }
            if !full {
                break;
            }
        }
        for (paper, claim) in admin::claims(&self.store)? {
            let Ok(id) = claim.channel_id() else {
                continue;
            };
            if claim.channel.chain != self.chain {
                continue;
            }
            let total_units = match claimed.get(&id.0) {
                Some(units) => *units,
                None => self.escrow.settled(&claim.channel).await?.total_units,
            };
            if total_units <= claim.settled_units {
                continue;
            }
            let units = u64::try_from(total_units).unwrap_or(u64::MAX);
            let added = match admin::settle(&mut self.store, paper, &id.0, units, now()) {
                Ok(added) => added,
                // Claimed by an older copy of these books; the rest is earned again before it is marked.
                Err(SettleError::TooMuch { most, .. }) => {
                    admin::settle(&mut self.store, paper, &id.0, most, now())?
                }
                Err(error) => return Err(error.into()),
            };
            looked.marked_units += u128::from(added);
        }
        Ok(looked)
    }

    async fn back(&mut self, channel: &Channel, certain_secs: u64) -> Result<Views, AgentError> {
        let paper = &channel.authorization;
        let views = self.escrow.views(&paper.channel(channel.client)).await?;
        // It backs nothing for a paper that outlives a withdrawal that was announced.
        let units = u64::try_from(views.limit_units(paper.expires_at)).unwrap_or(u64::MAX);
        let (now, id) = (now(), &channel.id);
        let until = now.saturating_add(certain_secs);
        admin::back(&mut self.store, id, units, until, now)?;
        Ok(views)
    }

    /// What is due on this contract, in batches, and what is left out.
    pub(crate) fn plan(&self) -> Result<Plan<Batch>, AgentError> {
        let claims = admin::claims(&self.store)?.into_iter();
        let claims: Vec<Claim> = claims.map(|(_, claim)| claim).collect();
        let settlement = OnEscrow {
            chain: self.chain,
            caller: self.caller,
        };
        Ok(settlement.plan(&claims))
    }

    /// Claims batch by batch. Doing it again claims nothing twice.
    pub(crate) async fn claim(
        &self,
        plan: &Plan<Batch>,
        pay_out: bool,
    ) -> Result<Vec<Sent>, AgentError> {
        let mut sent = Vec::new();
        let mut payees = BTreeSet::new();
        for step in &plan.steps {
            let done = self.escrow.claim(&step.work).await?;
            sent.push(Sent::new(&done, step.work.claims.len()));
            payees.insert((step.work.payee.receiver, step.work.payee.token));
        }
        if pay_out {
            for (receiver, token) in payees {
                let done = self.escrow.settle(receiver, token).await?;
                sent.push(Sent::new(&done, 0));
            }
        }
        Ok(sent)
    }
}

/// Whether a claim is left for no reason that the operator need hear of.
pub(crate) const fn is_expected(why: &SettlementError) -> bool {
    matches!(
        why,
        SettlementError::NothingDue
            | SettlementError::Elsewhere(_)
            | SettlementError::NotReceiver { .. }
    )
}

#[allow(clippy::disallowed_methods)] // a program has a clock
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
