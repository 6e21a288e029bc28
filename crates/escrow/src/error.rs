//! What goes wrong between here and the contract.

use alloy_primitives::{B256, TxHash};
use layer_minus_message::MessageError;
use layer_minus_wallet::Address;

use crate::bindings::Escrow::EscrowErrors as Reverts;

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EscrowError {
    /// The terms of the channel are none that a contract takes.
    #[error(transparent)]
    Terms(#[from] MessageError),
    /// The channel is settled by another contract.
    #[error("channel belongs to contract {0}")]
    OtherContract(Address),
    /// The contract refused. Nothing was sent.
    #[error("contract refuses: {0}")]
    Refused(#[from] Refusal),
    /// The transaction was sent and failed: something changed between the check and the block.
    #[error("transaction {0} failed in its block")]
    Failed(TxHash),
    /// The node of the chain knows no block.
    #[error("chain: its node knows no latest block")]
    NoBlock,
    /// The node of the chain could not be asked, or gave no sense.
    #[error("chain: {0}")]
    Chain(Box<alloy_contract::Error>),
}

impl From<alloy_contract::Error> for EscrowError {
    fn from(error: alloy_contract::Error) -> Self {
        match error.as_decoded_interface_error::<Reverts>() {
            Some(refused) => Self::Refused(refused.into()),
            None => Self::Chain(Box::new(error)),
        }
    }
}

impl From<alloy_provider::PendingTransactionError> for EscrowError {
    fn from(error: alloy_provider::PendingTransactionError) -> Self {
        Self::Chain(Box::new(error.into()))
    }
}

/// What the contract refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A party is zero, or the withdraw delay is out of bounds.
    #[error("channel's terms are not valid")]
    BadConfig,
    /// The amount is zero.
    #[error("amount is zero")]
    ZeroAmount,
    /// Not for this caller.
    #[error("{0} may not do this")]
    NotAuthorized(Address),
    /// High `s`, or no key fits.
    #[error("signature on channel {0} is malformed")]
    BadSignature(B256),
    /// Nobody deposited for a voucher of this signer to this payee: another signer, another payee,
    /// or no deposit.
    #[error("channel {channel_id} holds nothing for vouchers signed by {signer}")]
    NoChannel {
        /// The channel.
        channel_id: B256,
        /// Who signed.
        signer: Address,
    },
    /// More than the voucher allows.
    #[error("claim on channel {0} is over its voucher's limit")]
    OverLimit(B256),
    /// More than the channel holds.
    #[error("amount is over the deposit of channel {0}")]
    OverDeposit(B256),
    /// All of it was claimed before.
    #[error("nothing to claim: every total was claimed before")]
    NothingToClaim,
    /// All of it was paid before.
    #[error("nothing to settle")]
    NothingToSettle,
    /// No withdrawal is announced.
    #[error("no withdrawal from channel {0} is announced")]
    NoWithdrawal(B256),
    /// The withdrawal is not mature.
    #[error("withdrawal matures at {0}")]
    NotYet(u64),
    /// The token did not do as it was told.
    #[error("token {0} refused the transfer")]
    TransferFailed(Address),
    /// The token takes a fee, or lies.
    #[error("token {0} delivered another amount than it was told to")]
    NotDelivered(Address),
    /// The token called back.
    #[error("token called back into the contract")]
    Reentered,
    /// Amounts that only a token of absurd supply has.
    #[error("amounts do not fit")]
    Overflow,
}

impl Refusal {
    /// The channel because of which a whole batch was refused, if it is because of one.
    #[must_use]
    pub const fn of_channel(&self) -> Option<B256> {
        match *self {
            Self::BadSignature(channel_id)
            | Self::NoChannel { channel_id, .. }
            | Self::OverLimit(channel_id)
            | Self::OverDeposit(channel_id) => Some(channel_id),
            _ => None,
        }
    }
}

impl From<Reverts> for Refusal {
    fn from(reverts: Reverts) -> Self {
        match reverts {
            Reverts::BadConfig(_) => Self::BadConfig,
            Reverts::ZeroAmount(_) => Self::ZeroAmount,
            Reverts::NotAuthorized(it) => Self::NotAuthorized(it.caller),
            Reverts::BadSignature(it) => Self::BadSignature(it.channelId),
            Reverts::NoChannel(it) => Self::NoChannel {
                channel_id: it.channelId,
                signer: it.signer,
            },
            Reverts::OverLimit(it) => Self::OverLimit(it.channelId),
            Reverts::OverDeposit(it) => Self::OverDeposit(it.channelId),
            Reverts::NothingToClaim(_) => Self::NothingToClaim,
            Reverts::NothingToSettle(_) => Self::NothingToSettle,
            Reverts::NoWithdrawal(it) => Self::NoWithdrawal(it.channelId),
            Reverts::NotYet(it) => Self::NotYet(it.maturesAt.to()),
            Reverts::TransferFailed(it) => Self::TransferFailed(it.token),
            Reverts::NotDelivered(it) => Self::NotDelivered(it.token),
            Reverts::Reentered(_) => Self::Reentered,
            Reverts::Overflow(_) => Self::Overflow,
        }
    }
}
