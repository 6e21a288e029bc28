//! What stands behind a client's signature.
//!
//! A signed limit is worth what backs it. The node spends on a paper up to the smaller of the two,
//! and asks anew before every charge and reservation: when the backing falls, nothing that was
//! reserved is taken back, and nothing new is reserved.
//!
//! Nothing is counted twice. A grant is one client's, and what its earlier channels took of it is
//! gone. An escrow's deposit is one channel's, whose id commits to payer, receiver and client.

use layer_minus_ledger::Sum;
use layer_minus_message::authorization::PUSD_PER_TOKEN_UNIT;
use layer_minus_wallet::Address;

use crate::{
    rows::{self, BackingRow},
    store::{Store, StoreError, Table},
};

/// The paper that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Whose it is.
    pub client: Address,
    /// Id of its channel.
    pub channel: [u8; 32],
    /// The cash wallet that signed it.
    pub payer: Address,
    /// What channels that the client has left took from its grant, picodollars.
    pub unsecured_pusd: Sum,
}

/// Says how much stands behind papers.
pub trait Backing {
    /// Up to how much, picodollars, may be spent on the paper's channel in all, now (unix seconds).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn backed_pusd(&self, paper: &Paper, now: u64) -> Result<Sum, StoreError>;
}

/// What the operator granted, invite codes brought, and everybody is credited with.
#[derive(Debug)]
pub struct Granted<'a, S> {
    /// The node's store.
    pub store: &'a S,
    /// Credit of every client, picodollars.
    pub default_credit_pusd: u64,
}

impl<S: Store> Granted<'_, S> {
    /// What a client was granted in all, picodollars.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn total_pusd(&self, client: &Address) -> Result<u64, StoreError> {
        let key = client.as_slice();
        let granted: u64 = match self.store.get(Table::Grants, key)? {
            Some(bytes) => rows::from_json(Table::Grants, key, &bytes)?,
            None => 0,
        };
        Ok(granted.saturating_add(self.default_credit_pusd))
    }
}

impl<S: Store> Backing for Granted<'_, S> {
    fn backed_pusd(&self, paper: &Paper, _now: u64) -> Result<Sum, StoreError> {
        let total = u128::from(self.total_pusd(&paper.client)?);
        Ok(Sum::new(total.saturating_sub(paper.unsecured_pusd.get())))
    }
}

/// What an escrow holds for the channel, as the node was last told.
#[derive(Debug)]
pub struct Deposited<'a, S> {
    /// The node's store.
    pub store: &'a S,
}

impl<S: Store> Backing for Deposited<'_, S> {
    fn backed_pusd(&self, paper: &Paper, now: u64) -> Result<Sum, StoreError> {
        deposit_pusd(self.store, &paper.channel, now)
    }
}

/// Both stand behind it: the escrow first, the rest is taken from the grant.
impl<A: Backing, B: Backing> Backing for (A, B) {
    fn backed_pusd(&self, paper: &Paper, now: u64) -> Result<Sum, StoreError> {
        let (one, other) = (
            self.0.backed_pusd(paper, now)?,
            self.1.backed_pusd(paper, now)?,
        );
        Ok(Sum::new(one.get().saturating_add(other.get())))
    }
}

/// What an escrow holds for a channel now, picodollars.
pub(crate) fn deposit_pusd<S: Store>(
    store: &S,
    channel: &[u8; 32],
    now: u64,
) -> Result<Sum, StoreError> {
    let row: Option<BackingRow> = match store.get(Table::Backings, channel)? {
        Some(bytes) => Some(rows::from_json(Table::Backings, channel, &bytes)?),
        None => None,
    };
    let units = row
        .filter(|row| row.until >= now)
        .map_or(0, |row| row.units);
    Ok(Sum::new(
        u128::from(units) * u128::from(PUSD_PER_TOKEN_UNIT),
    ))
}
