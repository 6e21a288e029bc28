//! The wallet: a secp256k1 key that knows its address.

use crate::{
    error::WalletError,
    signature::{self, Signature},
};
use alloy_primitives::{Address, B256, ChainId};
use rand::{CryptoRng, RngCore};
use secp256k1::SecretKey;
use std::fmt;
use zeroize::Zeroizing;

/// The key on the heap, so that moving a wallet leaves no copies, erased when dropped.
#[derive(Clone)]
struct Secret(Box<SecretKey>);

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.non_secure_erase();
    }
}

/// A secp256k1 secret key and its address.
///
/// `Debug` and `Display` show the address only; the key is erased from memory when dropped.
/// It implements the traits of `alloy-signer`, which is where a hardware wallet takes its place.
#[derive(Clone)]
pub struct Wallet {
    secret: Secret,
    address: Address,
    chain_id: Option<ChainId>,
}

impl Wallet {
    /// A new key.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng + ?Sized)) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            rng.fill_bytes(bytes.as_mut_slice());
            // Refused once in 2^127: zero, or not below the order.
            if let Ok(wallet) = Self::from_secret(bytes.as_slice()) {
                return wallet;
            }
        }
    }

    /// A wallet from its 32 secret bytes, big-endian.
    ///
    /// # Errors
    /// [`WalletError::BadSecret`] when there are not 32 of them, or they are zero or not below the
    /// order of the curve.
    pub fn from_secret(secret: &[u8]) -> Result<Self, WalletError> {
        let bytes =
            Zeroizing::new(<[u8; 32]>::try_from(secret).map_err(|_| WalletError::BadSecret)?);
        let mut key = SecretKey::from_byte_array(*bytes).map_err(|_| WalletError::BadSecret)?;
        let secret = Secret(Box::new(key));
        // The type is `Copy`: what went into the box is also still here.
        key.non_secure_erase();
        let address = signature::address_of(&secret.0.public_key(signature::curve()));
        Ok(Self {
            secret,
            address,
            chain_id: None,
        })
    }

    /// A wallet from 64 hex digits, with or without `0x`.
    ///
    /// # Errors
    /// [`WalletError::BadHex`] or [`WalletError::BadSecret`].
    pub fn from_hex(text: &str) -> Result<Self, WalletError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(
            text.strip_prefix("0x").unwrap_or(text),
            bytes.as_mut_slice(),
        )
        .map_err(|_| WalletError::BadHex {
            what: "secret key",
            bytes: 32,
        })?;
        Self::from_secret(bytes.as_slice())
    }

    /// Who this is. `Display` writes it with its EIP-55 checksum.
    pub fn address(&self) -> Address {
        self.address
    }

    /// The secret, to be written into a keystore or a backup and nowhere else.
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.0.secret_bytes())
    }

    /// Signs 32 bytes as they are: deterministic (RFC 6979), low `s`.
    ///
    /// Whoever calls this must have made the hash; sign typed data with
    /// [`typed::sign`](crate::typed::sign) instead.
    pub fn sign_hash(&self, hash: &B256) -> Signature {
        signature::sign(&self.secret.0, hash)
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({})", self.address)
    }
}

impl fmt::Display for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl alloy_signer::SignerSync for Wallet {
    fn sign_hash_sync(&self, hash: &B256) -> alloy_signer::Result<alloy_primitives::Signature> {
        Ok((&self.sign_hash(hash)).into())
    }

    fn chain_id_sync(&self) -> Option<ChainId> {
        self.chain_id
    }
}

#[cfg_attr(target_family = "wasm", async_trait::async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait::async_trait)]
impl alloy_signer::Signer for Wallet {
    async fn sign_hash(&self, hash: &B256) -> alloy_signer::Result<alloy_primitives::Signature> {
        Ok((&Self::sign_hash(self, hash)).into())
    }

    fn address(&self) -> Address {
        self.address
    }

    fn chain_id(&self) -> Option<ChainId> {
        self.chain_id
    }

    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.chain_id = chain_id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover;
    use alloy_primitives::keccak256;
    use alloy_signer::{Signer, SignerSync};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    const ANVIL: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn knows_the_address_of_a_well_known_key() {
        let wallet = Wallet::from_hex(ANVIL).unwrap();
        assert_eq!(
            wallet.address().to_string(),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
        );
        assert_eq!(wallet.to_string(), wallet.address().to_string());
        assert_eq!(hex::encode(wallet.secret_bytes().as_slice()), ANVIL[2..]);
        assert_eq!(
            Wallet::from_hex(&ANVIL[2..]).unwrap().address(),
            wallet.address()
        );
    }

    #[test]
    fn refuses_what_is_no_secret() {
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let last = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
        assert_eq!(Wallet::from_hex(order).unwrap_err(), WalletError::BadSecret);
        assert_eq!(
            Wallet::from_hex(&"0".repeat(64)).unwrap_err(),
            WalletError::BadSecret
        );
        assert!(Wallet::from_hex(last).is_ok());
        for bytes in [0, 31, 33, 64] {
            assert_eq!(
                Wallet::from_secret(&vec![1; bytes]).unwrap_err(),
                WalletError::BadSecret
            );
        }
        for text in [
            "",
            "0x",
            &last[2..],
            &format!("0x0x{last}"),
            &last.replace('f', "g"),
        ] {
            assert_eq!(
                Wallet::from_hex(text).unwrap_err(),
                WalletError::BadHex {
                    what: "secret key",
                    bytes: 32
                },
                "{text}"
            );
        }
    }

    #[test]
    fn shows_its_address_and_never_its_secret() {
        let wallet = Wallet::from_hex(ANVIL).unwrap();
        assert_eq!(
            format!("{wallet:?}"),
            "Wallet(0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266)"
        );
    }

    #[test]
    fn generates_different_keys_from_one_rng_and_the_same_from_one_seed() {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        let (first, second) = (Wallet::generate(&mut rng), Wallet::generate(&mut rng));
        assert_ne!(first.address(), second.address());
        let again = Wallet::generate(&mut ChaCha20Rng::seed_from_u64(7));
        assert_eq!(first.address(), again.address());
    }

    #[test]
    fn signs_as_the_other_implementation_of_rfc_6979_does() {
        let mut rng = ChaCha20Rng::seed_from_u64(8);
        for i in 0..64_u8 {
            let wallet = Wallet::generate(&mut rng);
            let hash = keccak256([i]);
            let ours = wallet.sign_hash(&hash);
            let key =
                k256::ecdsa::SigningKey::from_slice(wallet.secret_bytes().as_slice()).unwrap();
            let (theirs, id) = key.sign_prehash_recoverable(hash.as_slice()).unwrap();
            assert_eq!(ours.as_bytes()[..64], theirs.to_bytes()[..]);
            assert_eq!(ours.as_bytes()[64], 27 + id.to_byte());
            assert_eq!(recover(&hash, &ours).unwrap(), wallet.address());
        }
    }

    #[test]
    fn the_alloy_traits_give_the_same_signature() {
        let mut wallet = Wallet::from_hex(ANVIL).unwrap();
        let hash = keccak256("hash");
        let ours = wallet.sign_hash(&hash);
        let sync = wallet.sign_hash_sync(&hash).unwrap();
        assert_eq!(Signature::try_from(sync).unwrap(), ours);
        assert_eq!(
            sync.recover_address_from_prehash(&hash).unwrap(),
            wallet.address()
        );
        let mut future = Signer::sign_hash(&wallet, &hash);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(asynchronous) = future.as_mut().poll(&mut context) else {
            panic!("a local key does not wait");
        };
        assert_eq!(Signature::try_from(asynchronous.unwrap()).unwrap(), ours);
        drop(future);
        wallet.set_chain_id(Some(1));
        assert_eq!(
            (wallet.chain_id(), wallet.chain_id_sync()),
            (Some(1), Some(1))
        );
    }
}
