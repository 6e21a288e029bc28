//! Marking what papers promised as settled, paid between people or cashed on a chain, and what stands
//! behind them there.
//!
//! ```text
//! this node paid another      promised(node) ──> settled
//! another node paid           settled ──> owed(node)
//! a client's paper was cashed settled ──> cashed(channel)
//! ```

use layer_minus_ledger::AccountId;
use layer_minus_message::channel::PUSD_PER_TOKEN_UNIT;
use layer_minus_wallet::Address;

use super::{Channel, Side, channel, transaction};
use crate::{
    lanes::{Between, units_pusd},
    money::{self, Ids, code},
    node::SECRET_KEY,
    rows::{self, PeerRow},
    store::{Store, StoreError, Table},
    tx::{BookError, Stop, Tx},
};

/// Why nothing was settled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettleError {
    /// No such channel, or nothing was promised on it.
    #[error("nothing is promised on that channel")]
    NoPaper,
    /// More than was promised, or than was charged.
    #[error("{most} units can be settled in all, {wanted} cannot")]
    TooMuch {
        /// Promised or charged in all, token units.
        most: u64,
        /// Wanted to be settled in all, token units.
        wanted: u64,
    },
    /// The ledger refused, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Marks `units` in all of a lane's channel as paid or cashed; token units. Less than is marked already
/// changes nothing. Returns what was added, token units.
pub fn settle_lane<S: Store>(
    store: &mut S,
    node: Address,
    side: Side,
    channel: &[u8; 32],
    units: u64,
    now: u64,
) -> Result<u64, SettleError> {
    let key = node.as_slice();
    let (label, debit, credit) = match side {
        Side::Owed => (
            "settled",
            money::promised_account(&node),
            money::settled_account(),
        ),
        Side::Due => (
            "settled due",
            money::settled_account(),
            money::owed_account(&node),
        ),
    };
    in_transaction(store, |store| {
        let Some(bytes) = store.get(side.table(), key)? else {
            return Ok(Err(SettleError::NoPaper));
        };
        let mut row: PeerRow = rows::from_json(side.table(), key, &bytes)?;
        let Some(paper) = row.papers.iter_mut().find(|paper| paper.id == *channel) else {
            return Ok(Err(SettleError::NoPaper));
        };
        let (most, before) = (paper.units, paper.settled_units);
        if units > most {
            return Ok(Err(SettleError::TooMuch {
                most,
                wanted: units,
            }));
        }
        paper.settled_units = units.max(before);
        store.put(side.table(), key, &rows::to_json(side.table(), &row)?)?;
        let more = units.saturating_sub(before);
        let booking = Booking {
            label,
            channel,
            debit,
            credit,
        };
        book(store, &booking, units, more, now)?;
        Ok(Ok(more))
    })
}

/// Marks `units` in all of a client's channel as cashed, or paid by the client in another way; token units.
/// Less than is marked already changes nothing. Returns what was added, token units.
///
/// # Errors
/// [`SettleError::TooMuch`] beyond what was charged on it, in whole units.
pub fn settle_channel<S: Store>(
    store: &mut S,
    id: &[u8; 32],
    units: u64,
    now: u64,
) -> Result<u64, SettleError> {
    in_transaction(store, |store| {
        let Some(Channel {
            charged_pusd,
            settled_units,
            ..
        }) = channel(store, id)?
        else {
            return Ok(Err(SettleError::NoPaper));
        };
        let most = charged_pusd.get() / u128::from(PUSD_PER_TOKEN_UNIT);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        if units > most {
            return Ok(Err(SettleError::TooMuch {
                most,
                wanted: units,
            }));
        }
        let more = units.saturating_sub(settled_units);
        let booking = Booking {
            label: "cashed",
            channel: id,
            debit: money::settled_account(),
            credit: money::cashed_account(id),
        };
        book(store, &booking, units, more, now)?;
        Ok(Ok(more))
    })
}

/// Writes what an escrow holds for a channel, token units, and until when that is certain, unix seconds:
/// beside a running node, which looks at it before each charge. A stream that waits for it goes on at
/// its next beat.
///
/// # Errors
/// [`StoreError::Full`] when backings of too many channels are known.
pub fn back<S: Store>(
    store: &mut S,
    channel: &[u8; 32],
    units: u64,
    until: u64,
    now: u64,
) -> Result<(), StoreError> {
    transaction(store, |store| {
        let backed = Tx::beside(store, now).back(channel, units, until);
        backed.map_err(|stop| match stop {
            Stop::Store(error) => error,
            Stop::Refuse(reason) => StoreError::Full(reason.to_string()),
        })
    })
}

/// A refusal ends the transaction as well as a success does: nothing was written.
fn in_transaction<S: Store>(
    store: &mut S,
    work: impl FnOnce(&mut S) -> Result<Result<u64, SettleError>, StoreError>,
) -> Result<u64, SettleError> {
    transaction(store, work)?
}

struct Booking<'a> {
    label: &'static str,
    channel: &'a [u8; 32],
    debit: AccountId,
    credit: AccountId,
}

fn book<S: Store>(
    store: &mut S,
    booking: &Booking<'_>,
    units: u64,
    more: u64,
    now: u64,
) -> Result<(), StoreError> {
    if more == 0 {
        return Ok(());
    }
    let secret = store.get(Table::Meta, SECRET_KEY)?;
    let secret: [u8; 32] = secret
        .and_then(|secret| secret.try_into().ok())
        .ok_or_else(|| StoreError::damaged(Table::Meta, SECRET_KEY))?;
    // A total and not a difference: whoever marks it again marks nothing.
    let content: [&[u8]; 2] = [booking.channel, &units.to_be_bytes()];
    let mut tx = Tx::beside(store, now);
    let ops = tx.between(&Between {
        id: Ids::new(&secret).transfer(booking.label, &content),
        debit: booking.debit,
        credit: booking.credit,
        amount: units_pusd(more).ok_or_else(too_large)?,
        code: code::SETTLED,
    })?;
    tx.book(&ops).map_err(|error| match error {
        BookError::Store(error) => error,
        BookError::Refused(refusal) => StoreError::Failed(refusal.to_string()),
    })
}

fn too_large() -> StoreError {
    StoreError::Failed("more is settled than there is money".to_owned())
}
