//! What a client lets a node deduct: a channel and a cumulative voucher, as in x402's
//! `batch-settlement` scheme, so that the same paper can be cashed on a chain.

use alloy_primitives::{B256, keccak256};
use layer_minus_wallet::{Address, Signature, Wallet};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{Channel, LaneParty, error::MessageError, text, typed};

pub use crate::channel::{Chain, DOMAIN_NAME, DOMAIN_VERSION, PUSD_PER_TOKEN_UNIT};

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
    /// The node; committed to in the salt. Nodes may share a cash wallet, and a deposit backs at one of them.
    #[serde(with = "text::eip55")]
    pub node: Address,
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
            .field("node", &self.node)
            .field("opening", &format_args!("[scrubbed]"))
            .field("expires_at", &self.expires_at)
            .field("limit_units", &self.limit_units)
            .finish_non_exhaustive()
    }
}

/// The salt of a channel: a commitment to the client, the node, its opening and the expiry.
#[must_use]
pub fn commitment(client: Address, node: Address, opening: &[u8; 32], expires_at: u64) -> B256 {
    let mut bytes = [0; 20 + 20 + 32 + 8];
    bytes[..20].copy_from_slice(client.as_slice());
    bytes[20..40].copy_from_slice(node.as_slice());
    bytes[40..72].copy_from_slice(opening);
    bytes[72..].copy_from_slice(&expires_at.to_be_bytes());
    keccak256(bytes)
}

impl Authorization {
    /// Signs a limit for `client` in favour of a node, on a channel of its own.
    ///
    /// # Errors
    /// [`MessageError::Wallet`] if the signer fails, which a local key does not.
    #[allow(clippy::too_many_arguments)] // each is a term of the paper
    pub fn sign(
        cash: &Wallet,
        client: Address,
        payee: LaneParty,
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
            receiver: payee.cash,
            node: payee.node,
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
        self.signature = self.channel(client).sign(cash, limit_units)?;
        Ok(())
    }

    /// The channel that it is a voucher on.
    #[must_use]
    pub fn channel(&self, client: Address) -> Channel {
        Channel {
            chain: self.chain,
            payer: self.payer,
            payer_authorizer: self.payer,
            receiver: self.receiver,
            receiver_authorizer: self.receiver,
            withdraw_delay_secs: self.withdraw_delay_secs,
            salt: commitment(client, self.node, &self.opening, self.expires_at).0,
        }
    }

    /// The channel's terms, as a settlement contract wants to see them. They hold the commitment to
    /// the client and not its opening.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn channel_config(&self, client: Address) -> Result<typed::ChannelConfig, MessageError> {
        self.channel(client).config()
    }

    /// The channel's id: the typed-data hash of its configuration.
    ///
    /// # Errors
    /// [`MessageError::Rule`] if the withdraw delay is none that the contract takes.
    pub fn channel_id(&self, client: Address) -> Result<B256, MessageError> {
        self.channel(client).id()
    }

    /// Checks that the payer signed it for this client and this node, and that it is in time.
    ///
    /// # Errors
    /// [`MessageError::Rule`] (receiver, node, withdraw delay), [`MessageError::OutsideValidity`],
    /// [`MessageError::WrongSigner`], [`MessageError::Wallet`].
    pub fn verify(&self, client: Address, payee: LaneParty, now: u64) -> Result<(), MessageError> {
        if self.receiver != payee.cash {
            return Err(MessageError::Rule("authorization is for another receiver"));
        }
        if self.node != payee.node {
            return Err(MessageError::Rule("authorization is for another node"));
        }
        if now > self.expires_at {
            return Err(MessageError::OutsideValidity {
                what: "authorization",
                from: 0,
                until: self.expires_at,
                now,
            });
        }
        self.channel(client)
            .verify(self.limit_units, &self.signature)
    }

    /// Whom it is for.
    #[must_use]
    pub const fn payee(&self) -> LaneParty {
        LaneParty {
            node: self.node,
            cash: self.receiver,
        }
    }

    /// The limit in picodollars.
    #[must_use]
    pub const fn limit_pusd(&self) -> u128 {
        self.limit_units as u128 * PUSD_PER_TOKEN_UNIT as u128
    }
}
