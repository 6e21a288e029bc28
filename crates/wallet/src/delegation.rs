//! A wallet's word that a device may sign for it.

use crate::{
    error::WalletError,
    scope::Scope,
    signature::Signature,
    text,
    typed::{self, Delegation},
    wallet::Wallet,
};
use alloy_primitives::Address;
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};

/// The longest life of a delegation: 400 days.
pub const MAX_LIFETIME_S: u64 = 400 * 86_400;

/// How far the clocks of two machines may differ before a delegation counts as not begun.
pub const CLOCK_SKEW_S: u64 = 600;

/// A delegation with the wallet's signature: whoever sees it knows that `device` signs for
/// `wallet`, for what, and until when.
///
/// The signature covers every field and the network (by the domain's salt). Unknown JSON fields
/// are refused. Fields are public because the signature guards them: call
/// [`verify`](Self::verify) on whatever came from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDelegation {
    /// Who delegates, and who signed this.
    #[serde(with = "text::eip55")]
    pub wallet: Address,
    /// The address of the device key.
    #[serde(with = "text::eip55")]
    pub device: Address,
    /// What the device may sign.
    pub scope: Scope,
    /// First second of validity, unix time.
    #[serde(with = "text::decimal")]
    pub valid_from: u64,
    /// First second after it, unix time.
    #[serde(with = "text::decimal")]
    pub expires_at: u64,
    /// Random; tells two delegations of the same content apart.
    #[serde(with = "text::hex_array")]
    pub nonce: [u8; 16],
    /// The wallet's EIP-712 signature over a [`Delegation`].
    pub signature: Signature,
}

impl SignedDelegation {
    /// `wallet` lets `device` sign `scope` for `lifetime_s` seconds from `now`.
    ///
    /// # Errors
    /// [`WalletError::Lifetime`] when `lifetime_s` is zero or above [`MAX_LIFETIME_S`].
    pub fn create(
        wallet: &Wallet,
        network: &str,
        device: Address,
        scope: Scope,
        now: u64,
        lifetime_s: u64,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
    ) -> Result<Self, WalletError> {
        let terms = Self::propose(wallet.address(), device, scope, now, lifetime_s, rng)?;
        let signature = typed::sign(wallet, &terms, &typed::domain(network))?;
        Self::from_parts(&terms, signature, network)
    }

    /// The unsigned terms, for a wallet that signs elsewhere (hardware, a browser extension). Bring
    /// its signature to [`from_parts`](Self::from_parts).
    ///
    /// # Errors
    /// [`WalletError::Lifetime`] as for [`create`](Self::create).
    pub fn propose(
        wallet: Address,
        device: Address,
        scope: Scope,
        now: u64,
        lifetime_s: u64,
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
    ) -> Result<Delegation, WalletError> {
        let expires_at = now.saturating_add(lifetime_s);
        check_lifetime(now, expires_at)?;
        let mut nonce = [0; 16];
        rng.fill_bytes(&mut nonce);
        Ok(Delegation {
            wallet,
            device,
            scope: scope.to_string(),
            validFrom: now,
            expiresAt: expires_at,
            nonce: nonce.into(),
        })
    }

    /// Joins terms with the signature that was made elsewhere, and checks that it is the wallet's.
    ///
    /// # Errors
    /// [`WalletError::WrongSigner`], [`WalletError::NoSigner`], [`WalletError::BadScope`],
    /// [`WalletError::Lifetime`].
    pub fn from_parts(
        terms: &Delegation,
        signature: Signature,
        network: &str,
    ) -> Result<Self, WalletError> {
        let signed = Self {
            wallet: terms.wallet,
            device: terms.device,
            scope: terms.scope.parse()?,
            valid_from: terms.validFrom,
            expires_at: terms.expiresAt,
            nonce: terms.nonce.0,
            signature,
        };
        signed.check_signature(network)?;
        Ok(signed)
    }

    /// The typed data that the signature covers.
    pub fn terms(&self) -> Delegation {
        Delegation {
            wallet: self.wallet,
            device: self.device,
            scope: self.scope.to_string(),
            validFrom: self.valid_from,
            expiresAt: self.expires_at,
            nonce: self.nonce.into(),
        }
    }

    /// Checks lifetime, time and signature. `now` is unix seconds; a start up to [`CLOCK_SKEW_S`]
    /// ahead is forgiven, an end never.
    ///
    /// # Errors
    /// [`WalletError::Lifetime`], [`WalletError::NotYetValid`], [`WalletError::Expired`],
    /// [`WalletError::WrongSigner`], [`WalletError::NoSigner`].
    pub fn verify(&self, network: &str, now: u64) -> Result<(), WalletError> {
        if now.saturating_add(CLOCK_SKEW_S) < self.valid_from {
            return Err(WalletError::NotYetValid {
                valid_from: self.valid_from,
                now,
            });
        }
        if now >= self.expires_at {
            return Err(WalletError::Expired {
                expires_at: self.expires_at,
                now,
            });
        }
        self.check_signature(network)
    }

    /// As [`verify`](Self::verify), and that the device may do what it is about to do.
    ///
    /// # Errors
    /// Also [`WalletError::OutOfScope`].
    pub fn verify_for(&self, needed: Scope, network: &str, now: u64) -> Result<(), WalletError> {
        if !self.scope.contains(needed) {
            return Err(WalletError::OutOfScope {
                granted: self.scope,
                needed,
            });
        }
        self.verify(network, now)
    }

    fn check_signature(&self, network: &str) -> Result<(), WalletError> {
        check_lifetime(self.valid_from, self.expires_at)?;
        typed::verify(
            &self.terms(),
            &typed::domain(network),
            &self.signature,
            self.wallet,
        )
    }
}

fn check_lifetime(valid_from: u64, expires_at: u64) -> Result<(), WalletError> {
    match expires_at.checked_sub(valid_from) {
        Some(1..=MAX_LIFETIME_S) => Ok(()),
        _ => Err(WalletError::Lifetime {
            valid_from,
            expires_at,
            limit: MAX_LIFETIME_S,
        }),
    }
}
