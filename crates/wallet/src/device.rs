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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    #[test]
    fn signs_in_the_name_of_its_wallet() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let owner = Wallet::generate(&mut rng);
        let device =
            DeviceKey::generate(&mut rng, &owner, "devnet", Scope::ALL, 1_000, 100).unwrap();
        assert_eq!(device.wallet(), owner.address());
        assert_ne!(device.address(), owner.address());
        assert_eq!(device.delegation().verify("devnet", 1_050), Ok(()));
        let message = device.delegation().terms();
        let domain = typed::domain("devnet");
        let signature = device.sign(&message, &domain).unwrap();
        assert_eq!(
            typed::signer_of(&message, &domain, &signature),
            Ok(device.address())
        );
        assert!(matches!(
            DeviceKey::generate(&mut rng, &owner, "devnet", Scope::ALL, 1_000, 0),
            Err(WalletError::Lifetime { .. })
        ));
    }

    #[test]
    fn key_and_delegation_belong_together() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let owner = Wallet::generate(&mut rng);
        let [a, b] = [0, 1].map(|_| {
            DeviceKey::generate(&mut rng, &owner, "devnet", Scope::ALL, 1_000, 100).unwrap()
        });
        let again = DeviceKey::from_parts(a.key().clone(), a.delegation().clone()).unwrap();
        assert_eq!(again.address(), a.address());
        assert_eq!(
            DeviceKey::from_parts(a.key().clone(), b.delegation().clone()).unwrap_err(),
            WalletError::WrongDevice {
                expected: b.address(),
                found: a.address()
            }
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let owner = Wallet::generate(&mut rng);
        let device =
            DeviceKey::generate(&mut rng, &owner, "devnet", Scope::ALL, 1_000, 100).unwrap();
        let shown = format!("{device:?}");
        assert!(shown.contains(&device.address().to_string()));
        for secret in [&owner, device.key()].map(Wallet::secret_bytes) {
            assert!(!shown.contains(&hex::encode(secret.as_slice())));
        }
    }
}
