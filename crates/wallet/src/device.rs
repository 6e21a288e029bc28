//! The key that a client or node signs everyday things with.

use crate::{
    delegation::SignedDelegation, error::WalletError, scope::Scope, signature::Signature, typed,
    wallet::Wallet,
};
use alloy_primitives::Address;
use alloy_sol_types::{Eip712Domain, SolStruct};
use rand::{CryptoRng, RngCore};

/// A device's own key together with the wallet's delegation to it.
///
/// Several devices can sign for one wallet, and the wallet itself stays in its drawer. `Debug`
/// shows addresses only.
#[derive(Clone, Debug)]
pub struct DeviceKey {
    key: Wallet,
    delegation: SignedDelegation,
}

impl DeviceKey {
    /// Makes a new key and lets `owner` delegate to it, for `lifetime_s` seconds from `now`.
    ///
    /// # Errors
    /// [`WalletError::Lifetime`].
    pub fn generate(
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
        owner: &Wallet,
        network: &str,
        scope: Scope,
        now: u64,
        lifetime_s: u64,
    ) -> Result<Self, WalletError> {
        let key = Wallet::generate(rng);
        let delegation =
            SignedDelegation::create(owner, network, key.address(), scope, now, lifetime_s, rng)?;
        Self::from_parts(key, delegation)
    }

    /// Joins a stored key with its delegation. The delegation's signature is not checked here.
    ///
    /// # Errors
    /// [`WalletError::WrongDevice`] when it names another key.
    pub fn from_parts(key: Wallet, delegation: SignedDelegation) -> Result<Self, WalletError> {
        if delegation.device != key.address() {
            return Err(WalletError::WrongDevice {
                expected: delegation.device,
                found: key.address(),
            });
        }
        Ok(Self { key, delegation })
    }

    /// The device's key, which signs.
    pub fn key(&self) -> &Wallet {
        &self.key
    }

    /// The wallet's word for it, which goes along with what was signed.
    pub fn delegation(&self) -> &SignedDelegation {
        &self.delegation
    }

    /// The address of the device key: what recovering a signature gives.
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// The wallet in whose name the device signs.
    pub fn wallet(&self) -> Address {
        self.delegation.wallet
    }

    /// Signs typed data with the device key.
    ///
    /// # Errors
    /// None in practice; see [`typed::sign`].
    pub fn sign<T: SolStruct>(
        &self,
        message: &T,
        domain: &Eip712Domain,
    ) -> Result<Signature, WalletError> {
        typed::sign(&self.key, message, domain)
    }
}
