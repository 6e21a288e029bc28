//! Money between nodes: lanes that others open, what is owed on them, what others owe.
//!
//! ```text
//! here the debtor      expense ──10 p$/byte──> lane(creditor) ──voucher──> promised(creditor) ──> settled
//! here the creditor    owed(debtor) ──voucher──> forwarding                settled ──> owed(debtor)
//! ```
//! Vouchers are totals: one that is lost, repeated or late changes nothing. What a node promised is
//! durable before the voucher leaves it, and what it was promised before the debtor hears that it is
//! held.

mod creditor;
mod debtor;
mod open;

use layer_minus_ledger::{AccountId, Amount, DebitLimit, Op, TransferId};
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_wallet::Address;

use crate::{
    money,
    store::{Store, StoreError},
    tx::{Tx, account},
};

/// Token units as picodollars, if that fits 64 bits. Vouchers come from outside: what does not fit is the
/// voucher's fault and not the store's.
pub(crate) fn units_pusd(units: u64) -> Option<Amount> {
    units.checked_mul(PUSD_PER_TOKEN_UNIT).map(Amount::new)
}

/// What was promised between this node and another, and what of it is settled, picodollars. The books know it
/// when channels are long forgotten.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Promised {
    pub(crate) total: u128,
    pub(crate) settled: u128,
}

impl Promised {
    /// To another node.
    pub(crate) fn to<S: Store>(store: &S, node: &Address) -> Result<Self, StoreError> {
        let account = account(store, &money::promised_account(node))?;
        Ok(account.map_or_else(Self::default, |account| Self {
            total: account.credits_posted,
            settled: account.debits_posted,
        }))
    }

    /// By another node.
    pub(crate) fn by<S: Store>(store: &S, node: &Address) -> Result<Self, StoreError> {
        let account = account(store, &money::owed_account(node))?;
        Ok(account.map_or_else(Self::default, |account| Self {
            total: account.debits_posted,
            settled: account.credits_posted,
        }))
    }

    /// Promised and not settled.
    pub(crate) const fn open(self) -> u128 {
        self.total.saturating_sub(self.settled)
    }
}

/// A transfer between accounts without limits, which are opened if need be.
pub(crate) struct Between {
    pub(crate) id: TransferId,
    pub(crate) debit: AccountId,
    pub(crate) credit: AccountId,
    pub(crate) amount: Amount,
    pub(crate) code: u16,
}

impl<S: Store> Tx<'_, S> {
    pub(crate) fn between(&self, transfer: &Between) -> Result<Vec<Op>, StoreError> {
        let Between {
            id,
            debit,
            credit,
            amount,
            code,
        } = *transfer;
        let mut ops = Vec::with_capacity(3);
        for account in [debit, credit] {
            if self.account(&account)?.is_none() {
                let limit = DebitLimit::None;
                ops.push(Op::Open { account, limit });
            }
        }
        ops.push(Op::Transfer {
            id,
            debit,
            credit,
            amount,
            code,
        });
        Ok(ops)
    }
}
