//! Writing down what was settled: a pure plan over rows, for a store to apply.

use std::collections::HashMap;

use alloy_primitives::B256;
use layer_minus_message::authorization::PUSD_PER_TOKEN_UNIT;
use serde::{Deserialize, Serialize};

use crate::{Claim, SettlementError, text};

/// That a channel is settled up to a total: by a contract, or by people in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The channel.
    pub channel_id: B256,
    /// Cumulative, in token units. A total and not a difference, so that a repeated mark is harmless.
    #[serde(with = "text::decimal")]
    pub total_units: u128,
}

/// A change to write: the claim's row gets a new `settled_units`, and a ledger moves `amount_pusd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// The channel.
    pub channel_id: B256,
    /// What the row must hold now, in token units; if it does not, plan again.
    pub from_units: u128,
    /// What it holds after.
    pub to_units: u128,
    /// The difference in picodollars.
    pub amount_pusd: u128,
}

/// What to write so that `marks` are noted in `claims`. Everything is checked before anything is
/// returned. A mark that was noted before gives no change.
///
/// # Errors
/// [`SettlementError::UnknownChannel`], [`SettlementError::Twice`] (claims or marks),
/// [`SettlementError::Backwards`] (except for the very same total),
/// [`SettlementError::SettledBeyond`] if a mark is above what is owed, and what
/// [`Claim::channel_id`] and [`Claim::state`] refuse.
pub fn mark(claims: &[Claim], marks: &[Mark]) -> Result<Vec<Marked>, SettlementError> {
    let mut rows = HashMap::with_capacity(claims.len());
    for claim in claims {
        let channel_id = claim.channel_id()?;
        if rows.insert(channel_id, Some(claim)).is_some() {
            return Err(SettlementError::Twice(channel_id));
        }
    }
    let mut changes = Vec::with_capacity(marks.len());
    for &Mark {
        channel_id,
        total_units,
    } in marks
    {
        let claim = rows
            .get_mut(&channel_id)
            .ok_or(SettlementError::UnknownChannel(channel_id))?
            .take()
            .ok_or(SettlementError::Twice(channel_id))?;
        claim.state()?;
        let owed_units = claim.owed_pusd / u128::from(PUSD_PER_TOKEN_UNIT);
        if total_units > owed_units {
            return Err(SettlementError::SettledBeyond {
                settled_units: total_units,
                owed_units,
            });
        }
        let difference =
            total_units
                .checked_sub(claim.settled_units)
                .ok_or(SettlementError::Backwards {
                    marked_units: total_units,
                    settled_units: claim.settled_units,
                })?;
        if difference > 0 {
            changes.push(Marked {
                channel_id,
                from_units: claim.settled_units,
                to_units: total_units,
                // Not above what is owed, which is a `u128` of picodollars.
                amount_pusd: difference * u128::from(PUSD_PER_TOKEN_UNIT),
            });
        }
    }
    Ok(changes)
}
