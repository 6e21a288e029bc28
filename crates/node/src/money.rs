//! What is charged, reserved and credited, as transfers of the ledger.
//!
//! ```text
//! client --20 p$/byte--> income      a pass: in, pushed, command; at the client's prices
//! client --14 p$/kB·h--> income      storage
//! expense --10 p$/byte--> lane       to the node that carried a pass that was charged; at the
//!                                    node's present price, and never more than was charged
//! lane --whole units--> promised     by a voucher; see `lanes`
//! ```
//! Transfer ids are keyed digests of what the transfer is for, so that doing it twice is doing it once.

use layer_minus_ledger::{AccountId, Amount, DebitLimit, Op, TransferId};
use layer_minus_message::Prices;
use layer_minus_wallet::Address;
use ring::hmac;

use crate::{
    store::{Store, StoreError},
    tx::Tx,
};

/// Codes of transfers: what a line of a statement is for.
pub mod code {
    /// A command's pass.
    pub const COMMAND: u16 = 1;
    /// Mail's way in.
    pub const MAIL_IN: u16 = 2;
    /// First push of a packet.
    pub const PUSH: u16 = 3;
    /// A further push of the same packet.
    pub const PUSH_AGAIN: u16 = 4;
    /// Storage.
    pub const STORAGE: u16 = 5;
    /// Credit of a lane.
    pub const LANE: u16 = 6;
    /// A promise to a creditor.
    pub const VOUCHER: u16 = 7;
    /// What was promised before rows were lost.
    pub const RECOVERED: u16 = 8;
    /// A debtor's promise.
    pub const VOUCHER_TAKEN: u16 = 9;
    /// A promise that was paid or cashed.
    pub const SETTLED: u16 = 10;
}

/// Longer than any reservation is used: it is ended by its packet, or by the sweep.
pub(crate) const RESERVATION_GRACE_SECS: u64 = 30 * 24 * 3_600;

/// Makes ids from content with a secret of this store.
#[derive(Debug, Clone)]
pub(crate) struct Ids(hmac::Key);

impl Ids {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(crate) fn keyed(&self, label: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label.as_bytes());
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&context.sign().as_ref()[..16]);
        id
    }

    pub(crate) fn transfer(&self, label: &str, parts: &[&[u8]]) -> TransferId {
        TransferId::new(self.keyed(label, parts))
    }
}

fn account_id(kind: &str, name: &[u8]) -> AccountId {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    context.update(b"layer-minus account v1 ");
    context.update(kind.as_bytes());
    context.update(name);
    let mut id = [0; 16];
    id.copy_from_slice(&context.finish().as_ref()[..16]);
    AccountId::new(id)
}

/// The account of a client.
#[must_use]
pub fn client_account(client: &Address) -> AccountId {
    account_id("client ", client.as_slice())
}

/// What is owed to a node for what it carried here.
#[must_use]
pub fn lane_account(node: &Address) -> AccountId {
    account_id("lane ", node.as_slice())
}

/// What was promised to a node for what it carried here.
#[must_use]
pub fn promised_account(node: &Address) -> AccountId {
    account_id("promised ", node.as_slice())
}

/// What a node promised for what was forwarded to it.
#[must_use]
pub fn owed_account(node: &Address) -> AccountId {
    account_id("owed ", node.as_slice())
}

/// What forwarding earned.
#[must_use]
pub fn forwarding_account() -> AccountId {
    account_id("forwarding", b"")
}

/// What was paid or cashed outside of the books.
#[must_use]
pub fn settled_account() -> AccountId {
    account_id("settled", b"")
}

/// What a client's paper brought, by the id of its channel.
#[must_use]
pub fn cashed_account(channel: &[u8; 32]) -> AccountId {
    account_id("cashed", channel)
}

/// What clients paid.
#[must_use]
pub fn income_account() -> AccountId {
    account_id("income", b"")
}

/// What lanes cost.
#[must_use]
pub fn expense_account() -> AccountId {
    account_id("expense", b"")
}

/// What a pass costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PassPrice {
    pub(crate) client: Amount,
    pub(crate) lane: Amount,
}

impl PassPrice {
    /// A pass of `size_bytes` for which its client pays `client`; the forwarder earns what the node
    /// announces.
    pub(crate) fn new(
        announced: &Prices,
        size_bytes: u32,
        client: Amount,
    ) -> Result<Self, StoreError> {
        let lane = crate::purse::price(announced.relay_price(size_bytes.into(), client))?;
        Ok(Self { client, lane })
    }
}

pub(crate) fn byte_seconds(size_bytes: u32, from: u64, until: u64) -> u128 {
    u128::from(size_bytes) * u128::from(until.saturating_sub(from))
}

impl<S: Store> Tx<'_, S> {
    /// The operations that credit a lane for a pass.
    pub(crate) fn lane_ops(
        &self,
        lane: Option<Address>,
        id: TransferId,
        price: PassPrice,
    ) -> Result<Vec<Op>, StoreError> {
        let Some(node) = lane else {
            return Ok(Vec::new());
        };
        let amount = price.lane;
        // Nobody earns by a pass what its client did not pay.
        if amount.is_zero() || price.client < amount {
            return Ok(Vec::new());
        }
        let account = lane_account(&node);
        let mut ops = Vec::with_capacity(2);
        if self.account(&account)?.is_none() {
            ops.push(Op::Open {
                account,
                limit: DebitLimit::None,
            });
        }
        let debit = expense_account();
        ops.push(Op::Transfer {
            id,
            debit,
            credit: account,
            amount,
            code: code::LANE,
        });
        Ok(ops)
    }
}
