//! Payment channels and the cumulative vouchers on them, as in x402's `batch-settlement` scheme: what a
//! client authorizes and what a node owes another are the same paper, good at the same contract.

use alloy_primitives::{B256, aliases::U40};
use alloy_sol_types::SolStruct;
use layer_minus_wallet::{Address, Signature, Wallet, typed as eip712};
use serde::{Deserialize, Serialize};

use crate::{error::MessageError, limits::WITHDRAW_DELAY_SECS, text, typed};

/// Picodollars in one base unit of the token (USDC has 6 decimals): 10^12 / 10^6.
pub const PUSD_PER_TOKEN_UNIT: u64 = 1_000_000;
/// Name of the typed-data domain of the scheme.
pub const DOMAIN_NAME: &str = "x402 Batch Settlement";
/// Version of that domain.
pub const DOMAIN_VERSION: &str = "1";

/// Where the channel would be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The chain's id; 0 if none is used.
    #[serde(with = "text::decimal")]
    pub chain_id: u64,
    /// The escrow contract.
    #[serde(with = "text::eip55")]
    pub contract: Address,
    /// The token paid in.
    #[serde(with = "text::eip55")]
    pub token: Address,
}

impl Default for Chain {
    /// No chain: credit between the two parties only.
    fn default() -> Self {
        Self {
            chain_id: 0,
            contract: Address::ZERO,
            token: Address::ZERO,
        }
    }
}

impl Chain {
    /// The typed-data domain of channels and vouchers that are settled there.
    #[must_use]
    pub fn domain(&self) -> eip712::Eip712Domain {
        eip712::domain_for_chain(DOMAIN_NAME, DOMAIN_VERSION, self.chain_id, self.contract)
    }
}

/// Who may pay whom, where, and in whose name vouchers and claims are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Where it would be settled.
    pub chain: Chain,
    /// Whose deposit pays.
    #[serde(with = "text::eip55")]
    pub payer: Address,
    /// Who signs the vouchers.
    #[serde(with = "text::eip55")]
    pub payer_authorizer: Address,
    /// Who is paid.
    #[serde(with = "text::eip55")]
    pub receiver: Address,
    /// Who may give back what was not used.
    #[serde(with = "text::eip55")]
    pub receiver_authorizer: Address,
    /// Seconds between a withdrawal's announcement and its execution: 15 minutes to 30 days.
    #[serde(with = "text::decimal")]
    pub withdraw_delay_secs: u64,
    /// Tells channels of the same parties apart.
    #[serde(with = "text::hex_array")]
    pub salt: [u8; 32],
}

impl Channel {
    /// Its terms, as a settlement contract wants to see them.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn config(&self) -> Result<typed::ChannelConfig, MessageError> {
        Ok(typed::ChannelConfig {
            payer: self.payer,
            payerAuthorizer: self.payer_authorizer,
            receiver: self.receiver,
            receiverAuthorizer: self.receiver_authorizer,
            token: self.chain.token,
            withdrawDelay: self.withdraw_delay()?,
            salt: self.salt.into(),
        })
    }

    /// The channel's id: the typed-data hash of its configuration.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn id(&self) -> Result<B256, MessageError> {
        Ok(self.config()?.eip712_signing_hash(&self.chain.domain()))
    }

    /// Signs the promise of `units` in all, in token units (10^6 p$).
    ///
    /// # Errors
    /// As [`Channel::id`]; [`MessageError::Wallet`] if the signer fails, which a local key does not.
    pub fn sign(&self, authorizer: &Wallet, units: u64) -> Result<Signature, MessageError> {
        Ok(eip712::sign(
            authorizer,
            &self.voucher(units)?,
            &self.chain.domain(),
        )?)
    }

    /// Checks that the payer's authorizer promised `units` in all.
    ///
    /// # Errors
    /// As [`Channel::id`]; [`MessageError::WrongSigner`], [`MessageError::Wallet`].
    pub fn verify(&self, units: u64, signature: &Signature) -> Result<(), MessageError> {
        let found = eip712::signer_of(&self.voucher(units)?, &self.chain.domain(), signature)?;
        if found != self.payer_authorizer {
            return Err(MessageError::WrongSigner {
                found,
                expected: self.payer_authorizer,
            });
        }
        Ok(())
    }

    fn withdraw_delay(&self) -> Result<U40, MessageError> {
        const BOUNDS: MessageError =
            MessageError::Rule("withdraw delay is not between 15 minutes and 30 days");
        if !WITHDRAW_DELAY_SECS.contains(&self.withdraw_delay_secs) {
            return Err(BOUNDS);
        }
        U40::try_from(self.withdraw_delay_secs).map_err(|_| BOUNDS)
    }

    fn voucher(&self, units: u64) -> Result<typed::Voucher, MessageError> {
        Ok(typed::Voucher {
            channelId: self.id()?,
            maxClaimableAmount: u128::from(units),
        })
    }
}
