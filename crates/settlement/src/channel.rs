//! The terms of a payment channel.

use alloy_primitives::{B256, aliases::U40};
use layer_minus_message::{Authorization, Chain, MessageError, limits::WITHDRAW_DELAY_SECS, typed};
use layer_minus_wallet::{Address, typed::hash};
use serde::{Deserialize, Serialize};

use crate::SettlementError;

/// Who pays whom, in which token of which chain. The typed-data hash of it is the channel's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Where it can be settled; all zeros if only between the parties.
    pub chain: Chain,
    /// Pays.
    #[serde(with = "layer_minus_message::text::eip55")]
    pub payer: Address,
    /// Signs the payer's vouchers.
    #[serde(with = "layer_minus_message::text::eip55")]
    pub payer_authorizer: Address,
    /// Is paid.
    #[serde(with = "layer_minus_message::text::eip55")]
    pub receiver: Address,
    /// May claim in the receiver's name.
    #[serde(with = "layer_minus_message::text::eip55")]
    pub receiver_authorizer: Address,
    /// Seconds between a withdrawal's announcement and its execution.
    #[serde(with = "layer_minus_message::text::decimal")]
    pub withdraw_delay_secs: u64,
    /// Tells channels of the same parties apart; hides the client that it is for.
    pub salt: B256,
}

impl Channel {
    /// The channel of an authorization that `client` gave.
    ///
    /// # Errors
    /// As [`Authorization::channel_config`].
    pub fn of(authorization: &Authorization, client: Address) -> Result<Self, MessageError> {
        let config = authorization.channel_config(client)?;
        Ok(Self {
            chain: authorization.chain,
            payer: config.payer,
            payer_authorizer: config.payerAuthorizer,
            receiver: config.receiver,
            receiver_authorizer: config.receiverAuthorizer,
            withdraw_delay_secs: authorization.withdraw_delay_secs,
            salt: config.salt,
        })
    }

    /// The terms as typed data.
    ///
    /// # Errors
    /// [`SettlementError::WithdrawDelay`].
    pub fn config(&self) -> Result<typed::ChannelConfig, SettlementError> {
        let secs = self.withdraw_delay_secs;
        let withdraw_delay = U40::try_from(secs)
            .ok()
            .filter(|_| WITHDRAW_DELAY_SECS.contains(&secs))
            .ok_or(SettlementError::WithdrawDelay { secs })?;
        Ok(typed::ChannelConfig {
            payer: self.payer,
            payerAuthorizer: self.payer_authorizer,
            receiver: self.receiver,
            receiverAuthorizer: self.receiver_authorizer,
            token: self.chain.token,
            withdrawDelay: withdraw_delay,
            salt: self.salt,
        })
    }

    /// The channel's id.
    ///
    /// # Errors
    /// [`SettlementError::WithdrawDelay`].
    pub fn id(&self) -> Result<B256, SettlementError> {
        Ok(hash(&self.config()?, &self.chain.domain()))
    }
}
