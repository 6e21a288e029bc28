//! What one party owes another on a channel, and the paper that proves it.

use alloy_primitives::B256;
use layer_minus_message::{Authorization, Channel, authorization::PUSD_PER_TOKEN_UNIT, typed};
use layer_minus_wallet::{Address, Signature, typed::signer_of};
use serde::{Deserialize, Serialize};

use crate::{SettlementError, text};

/// Longest note of an operator on a claim, bytes.
pub const NOTE_BYTES_MAX: usize = 255;

/// A channel with its newest voucher and how the account stands. All amounts are cumulative over
/// the life of the channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Who owes whom.
    pub channel: Channel,
    /// The most that the voucher allows to be claimed, in token units (10^6 p$).
    #[serde(with = "text::decimal")]
    pub limit_units: u128,
    /// By the payer's authorizer, over the voucher.
    pub signature: Signature,
    /// What was earned, in picodollars.
    #[serde(with = "text::decimal")]
    pub owed_pusd: u128,
    /// What was settled, in token units.
    #[serde(with = "text::decimal")]
    pub settled_units: u128,
    /// The operator's own words, for example a name; at most [`NOTE_BYTES_MAX`] bytes.
    pub note: String,
}

/// What may be settled now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// All that was earned, floored to token units: what a contract is told.
    pub total_units: u128,
    /// What that is over what was settled before: what moves.
    pub increase_units: u128,
    /// What is left below a token unit, in picodollars. It stays on the account and counts
    /// towards the next unit.
    pub remainder_pusd: u64,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// At least one token unit waits to be settled.
    Due(Due),
    /// All whole units are settled.
    Settled {
        /// What is left below a token unit, in picodollars.
        remainder_pusd: u64,
    },
}

impl Claim {
    /// What `client` owes by its authorization: `owed_pusd` was deducted so far.
    #[must_use]
    pub fn of_authorization(
        authorization: &Authorization,
        client: Address,
        owed_pusd: u128,
        settled_units: u128,
    ) -> Self {
        Self {
            channel: authorization.channel(client),
            limit_units: authorization.limit_units.into(),
            signature: authorization.signature,
            owed_pusd,
            settled_units,
            note: String::new(),
        }
    }

    /// The channel's id.
    ///
    /// # Errors
    /// [`SettlementError::WithdrawDelay`].
    pub fn channel_id(&self) -> Result<B256, SettlementError> {
        let secs = self.channel.withdraw_delay_secs;
        let id = self.channel.id();
        id.map_err(|_| SettlementError::WithdrawDelay { secs })
    }

    /// Checks that the paper is good: the channel's terms, the note's length, and that the payer's
    /// authorizer signed the voucher.
    ///
    /// # Errors
    /// [`SettlementError::WithdrawDelay`], [`SettlementError::Note`],
    /// [`SettlementError::Signature`], [`SettlementError::WrongSigner`].
    pub fn verify(&self) -> Result<(), SettlementError> {
        if self.note.len() > NOTE_BYTES_MAX {
            return Err(SettlementError::Note {
                bytes: self.note.len(),
                max: NOTE_BYTES_MAX,
            });
        }
        let voucher = typed::Voucher {
            channelId: self.channel_id()?,
            maxClaimableAmount: self.limit_units,
        };
        let found = signer_of(&voucher, &self.channel.chain.domain(), &self.signature)?;
        let expected = self.channel.payer_authorizer;
        if found == expected {
            Ok(())
        } else {
            Err(SettlementError::WrongSigner { found, expected })
        }
    }

    /// How the account stands, in whole token units.
    ///
    /// # Errors
    /// [`SettlementError::OverLimit`] if more is owed than the voucher allows,
    /// [`SettlementError::SettledBeyond`] if more was settled than is owed.
    pub fn state(&self) -> Result<ClaimState, SettlementError> {
        let unit = u128::from(PUSD_PER_TOKEN_UNIT);
        let total_units = self.owed_pusd / unit;
        // Below a unit, which fits.
        let remainder_pusd = (self.owed_pusd % unit) as u64;
        if total_units > self.limit_units {
            return Err(SettlementError::OverLimit {
                owed_units: total_units,
                limit_units: self.limit_units,
            });
        }
        let increase_units =
            total_units
                .checked_sub(self.settled_units)
                .ok_or(SettlementError::SettledBeyond {
                    settled_units: self.settled_units,
                    owed_units: total_units,
                })?;
        Ok(match increase_units {
            0 => ClaimState::Settled { remainder_pusd },
            _ => ClaimState::Due(Due {
                total_units,
                increase_units,
                remainder_pusd,
            }),
        })
    }

    /// What may be settled now.
    ///
    /// # Errors
    /// As [`state`](Self::state), and [`SettlementError::NothingDue`].
    pub fn due(&self) -> Result<Due, SettlementError> {
        match self.state()? {
            ClaimState::Due(due) => Ok(due),
            ClaimState::Settled { .. } => Err(SettlementError::NothingDue),
        }
    }
}
