//! What a client lets a node deduct: a channel and a cumulative voucher, as in x402's
//! `batch-settlement` scheme, so that the same paper can be cashed on a chain.

use alloy_primitives::{B256, aliases::U40, keccak256};
use alloy_sol_types::SolStruct;
use layer_minus_wallet::{Address, Signature, Wallet, typed as eip712};
use rand::{CryptoRng, RngCore};
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

/// A signed authorization.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Where it could be settled.
    pub chain: Chain,
    /// The client's cash wallet.
    #[serde(with = "text::eip55")]
    pub payer: Address,
    /// The node's cash wallet.
    #[serde(with = "text::eip55")]
    pub receiver: Address,
    /// Seconds between a withdrawal's announcement and its execution.
    #[serde(with = "text::decimal")]
    pub withdraw_delay_secs: u64,
    /// Opens the commitment in the channel's salt, which names the client without saying so.
    #[serde(with = "text::hex_array")]
    pub opening: [u8; 32],
    /// Last second of validity, unix time; committed to in the salt as well.
    #[serde(with = "text::decimal")]
    pub expires_at: u64,
    /// Highest cumulative total that the node may deduct, in token units (10^6 p$).
    #[serde(with = "text::decimal")]
    pub limit_units: u64,
    /// By the payer over the voucher.
    pub signature: Signature,
}

impl std::fmt::Debug for Authorization {
    /// Without the opening: whoever has it can join the cash wallet with the client.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization")
            .field("payer", &self.payer)
            .field("receiver", &self.receiver)
            .field("opening", &format_args!("[scrubbed]"))
            .field("expires_at", &self.expires_at)
            .field("limit_units", &self.limit_units)
            .finish_non_exhaustive()
    }
}

/// The salt of a channel: a commitment to the client, its opening and the expiry.
#[must_use]
pub fn commitment(client: Address, opening: &[u8; 32], expires_at: u64) -> B256 {
    let mut bytes = [0; 20 + 32 + 8];
    bytes[..20].copy_from_slice(client.as_slice());
    bytes[20..52].copy_from_slice(opening);
    bytes[52..].copy_from_slice(&expires_at.to_be_bytes());
    keccak256(bytes)
}

impl Authorization {
    /// Signs a limit for `client` in favour of `receiver`, on a channel of its own.
    ///
    /// # Errors
    /// [`MessageError::Wallet`] if the signer fails, which a local key does not.
    #[allow(clippy::too_many_arguments)] // each is a term of the paper
    pub fn sign(
        cash: &Wallet,
        client: Address,
        receiver: Address,
        chain: Chain,
        limit_units: u64,
        expires_at: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, MessageError> {
        let mut opening = [0; 32];
        rng.fill_bytes(&mut opening);
        let mut authorization = Self {
            chain,
            payer: cash.address(),
            receiver,
            withdraw_delay_secs: 86_400,
            opening,
            expires_at,
            limit_units,
            signature: cash.sign_hash(&B256::ZERO),
        };
        authorization.resign(cash, client, limit_units)?;
        Ok(authorization)
    }

    /// Signs a new limit on the same channel.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn resign(
        &mut self,
        cash: &Wallet,
        client: Address,
        limit_units: u64,
    ) -> Result<(), MessageError> {
        self.limit_units = limit_units;
        self.signature = eip712::sign(cash, &self.voucher(client)?, &self.chain.domain())?;
        Ok(())
    }

    /// The channel's terms, as a settlement contract wants to see them. They hold the commitment to
    /// the client and not its opening.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn channel_config(&self, client: Address) -> Result<typed::ChannelConfig, MessageError> {
        Ok(typed::ChannelConfig {
            payer: self.payer,
            payerAuthorizer: self.payer,
            receiver: self.receiver,
            receiverAuthorizer: self.receiver,
            token: self.chain.token,
            withdrawDelay: self.withdraw_delay()?,
            salt: commitment(client, &self.opening, self.expires_at),
        })
    }

    /// The channel's id: the typed-data hash of its configuration.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn channel_id(&self, client: Address) -> Result<B256, MessageError> {
        let config = self.channel_config(client)?;
        Ok(config.eip712_signing_hash(&self.chain.domain()))
    }

    fn withdraw_delay(&self) -> Result<U40, MessageError> {
        const BOUNDS: MessageError =
            MessageError::Rule("withdraw delay is not between 15 minutes and 30 days");
        if !WITHDRAW_DELAY_SECS.contains(&self.withdraw_delay_secs) {
            return Err(BOUNDS);
        }
        U40::try_from(self.withdraw_delay_secs).map_err(|_| BOUNDS)
    }

    /// Checks that the payer signed it for this client and this receiver, and that it is in time.
    ///
    /// # Errors
    /// [`MessageError::Rule`] (receiver, withdraw delay), [`MessageError::OutsideValidity`],
    /// [`MessageError::WrongSigner`], [`MessageError::Wallet`].
    pub fn verify(&self, client: Address, receiver: Address, now: u64) -> Result<(), MessageError> {
        if self.receiver != receiver {
            return Err(MessageError::Rule("authorization is for another receiver"));
        }
        if now > self.expires_at {
            return Err(MessageError::OutsideValidity {
                what: "authorization",
                from: 0,
                until: self.expires_at,
                now,
            });
        }
        let (voucher, domain) = (self.voucher(client)?, self.chain.domain());
        let found = eip712::signer_of(&voucher, &domain, &self.signature)?;
        if found != self.payer {
            return Err(MessageError::WrongSigner {
                found,
                expected: self.payer,
            });
        }
        Ok(())
    }

    /// The limit in picodollars.
    #[must_use]
    pub const fn limit_pusd(&self) -> u128 {
        self.limit_units as u128 * PUSD_PER_TOKEN_UNIT as u128
    }

    fn voucher(&self, client: Address) -> Result<typed::Voucher, MessageError> {
        Ok(typed::Voucher {
            channelId: self.channel_id(client)?,
            maxClaimableAmount: u128::from(self.limit_units),
        })
    }
}
