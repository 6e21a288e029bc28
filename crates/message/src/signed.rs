//! Documents signed by a wallet, and statements signed by a device it delegated to.

use alloy_primitives::{B256, FixedBytes, keccak256};
use layer_minus_wallet::{
    Address, DeviceKey, Scope, Signature, SignedDelegation, Wallet, typed as eip712,
};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

use crate::{error::MessageError, limits::CLOCK_WINDOW_SECS, text, typed};

/// What a statement is for. It is part of what is signed, so none can stand for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// A command to a node.
    Command,
    /// A letter to a person.
    Letter,
    /// A node's acceptance of mail.
    Acceptance,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Letter => "letter",
            Self::Acceptance => "acceptance",
        }
    }

    /// The delegation scope that a device needs to sign it.
    const fn scope(self) -> Scope {
        match self {
            Self::Command | Self::Acceptance => Scope::REQUEST,
            Self::Letter => Scope::MESSAGE,
        }
    }
}

/// The signed envelope of a statement: who, for whom, when, and the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The wallet in whose name it is said.
    #[serde(with = "text::eip55")]
    pub wallet: Address,
    /// For whom it is: a node, a person, or the zero address for whoever reads it.
    #[serde(with = "text::eip55")]
    pub audience: Address,
    /// Unix seconds of signing.
    #[serde(with = "text::decimal")]
    pub time: u64,
    /// Random; a node remembers it for the time window.
    #[serde(with = "text::hex_array")]
    pub nonce: [u8; 16],
    /// The device that signs for the wallet; none if the wallet signed itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<SignedDelegation>,
    /// By the device, or the wallet.
    pub signature: Signature,
}

/// Who signs statements: a device in a wallet's name, or the wallet itself.
#[derive(Clone, Copy, Debug)]
pub enum Signer<'a> {
    /// A device with its delegation.
    Device(&'a DeviceKey),
    /// The wallet.
    Wallet(&'a Wallet),
}

impl Signer<'_> {
    /// The wallet in whose name is signed.
    #[must_use]
    pub fn address(&self) -> Address {
        match self {
            Self::Device(device) => device.wallet(),
            Self::Wallet(wallet) => wallet.address(),
        }
    }
}

fn statement(proof: &Proof, purpose: Purpose, content: &[u8]) -> typed::Statement {
    typed::Statement {
        purpose: purpose.name().to_owned(),
        wallet: proof.wallet,
        audience: proof.audience,
        time: proof.time,
        nonce: FixedBytes(proof.nonce),
        digest: keccak256(content),
    }
}

impl Proof {
    /// Signs `content` for `audience`.
    ///
    /// # Errors
    /// [`MessageError::Wallet`] if the signer fails, which a local key does not.
    pub fn sign(
        signer: Signer<'_>,
        network: &str,
        purpose: Purpose,
        audience: Address,
        content: &[u8],
        now: u64,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, MessageError> {
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        let (device, key) = match signer {
            Signer::Device(device) => (Some(device.delegation().clone()), device.key()),
            Signer::Wallet(wallet) => (None, wallet),
        };
        let mut proof = Self {
            wallet: signer.address(),
            audience,
            time: now,
            nonce,
            device,
            signature: key.sign_hash(&B256::ZERO),
        };
        let statement = statement(&proof, purpose, content);
        proof.signature = eip712::sign(key, &statement, &eip712::domain(network))?;
        Ok(proof)
    }

    /// Checks audience, signature and delegation; the time is the caller's to judge, with
    /// [`Proof::is_timely`]. `now` is when the delegation has to be valid.
    ///
    /// # Errors
    /// [`MessageError::WrongAudience`], [`MessageError::WrongSigner`], [`MessageError::Wallet`].
    pub fn verify(
        &self,
        network: &str,
        purpose: Purpose,
        audience: Address,
        content: &[u8],
        now: u64,
    ) -> Result<(), MessageError> {
        if self.audience != audience {
            return Err(MessageError::WrongAudience {
                found: self.audience,
                expected: audience,
            });
        }
        let statement = statement(self, purpose, content);
        let found = eip712::signer_of(&statement, &eip712::domain(network), &self.signature)?;
        let expected = match &self.device {
            None => self.wallet,
            Some(delegation) => {
                if delegation.wallet != self.wallet {
                    return Err(MessageError::WrongSigner {
                        found: delegation.wallet,
                        expected: self.wallet,
                    });
                }
                delegation.verify_for(purpose.scope(), network, now)?;
                delegation.device
            }
        };
        if found == expected {
            Ok(())
        } else {
            Err(MessageError::WrongSigner { found, expected })
        }
    }

    /// Whether the time of signing is within the window around `now`.
    #[must_use]
    pub const fn is_timely(&self, now: u64) -> bool {
        self.time.abs_diff(now) <= CLOCK_WINDOW_SECS
    }
}

/// A JSON document, kept as the exact text that was signed, and a wallet's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDocument {
    /// The JSON text.
    pub document: String,
    /// By the wallet that the document names.
    pub signature: Signature,
}
