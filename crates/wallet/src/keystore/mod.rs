//! Keys on disk: the Ethereum JSON keystore, version 3 ([Web3 Secret Storage]).
//!
//! The same file opens in geth, MetaMask, ethers and most other wallets. A password becomes a key
//! by scrypt or PBKDF2, which encrypts the secret with AES-128-CTR and authenticates it with a
//! Keccak-256 MAC. The parameters come from the file, so they are bounded before anything is
//! computed: a file cannot take more memory or time than the constants here say.
//!
//! [Web3 Secret Storage]: https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage/

mod json;
mod kdf;

pub use kdf::{Kdf, MAX_PBKDF2_ROUNDS, MAX_SCRYPT_MEMORY_BYTES, MAX_SCRYPT_WORK_BYTES};

use crate::{error::WalletError, wallet::Wallet};
use aes::cipher::{KeyIvInit, StreamCipher};
use alloy_primitives::{Address, keccak256};
use json::RawKeystore;
use kdf::{DERIVED_BYTES, Derivation};
use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest keystore that is looked at. Real ones have about 500 bytes.
pub const MAX_KEYSTORE_BYTES: usize = 16 * 1024;

type Aes128Ctr = ctr::Ctr128BE<aes::Aes128>;

/// An encrypted wallet. As JSON it is exactly the version 3 shape.
///
/// Reading it checks shape and bounds; unknown fields are skipped, since other programs add their
/// own. `Debug` shows the address only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawKeystore", into = "RawKeystore")]
pub struct Keystore {
    id: String,
    address: Option<Address>,
    iv: [u8; 16],
    /// 32 bytes; a few old programs dropped leading zeros of the secret.
    ciphertext: Vec<u8>,
    derivation: Derivation,
    mac: [u8; 32],
}

impl Keystore {
    /// Encrypts `wallet` under `password` (its bytes as they are; usually UTF-8).
    ///
    /// # Errors
    /// [`WalletError::KeystoreLimit`] or [`WalletError::KeystoreUnsupported`] when `kdf` has
    /// parameters of its own that we would not read back.
    pub fn encrypt(
        wallet: &Wallet,
        password: &[u8],
        rng: &mut (impl RngCore + CryptoRng + ?Sized),
        kdf: Kdf,
    ) -> Result<Self, WalletError> {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        let mut iv = [0; 16];
        rng.fill_bytes(&mut iv);
        let mut uuid = [0; 16];
        rng.fill_bytes(&mut uuid);
        let derivation = Derivation::new(kdf, salt.to_vec())?;
        let key = derivation.derive(password)?;
        let mut ciphertext = wallet.secret_bytes().to_vec();
        apply_keystream(&key, &iv, &mut ciphertext);
        let mac = mac(&key, &ciphertext);
        Ok(Self {
            id: uuid_v4(uuid),
            address: Some(wallet.address()),
            iv,
            ciphertext,
            derivation,
            mac,
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`WalletError::WrongPassword`]; [`WalletError::KeystoreAddress`] or
    /// [`WalletError::BadSecret`] when the file was made wrongly.
    pub fn decrypt(&self, password: &[u8]) -> Result<Wallet, WalletError> {
        let key = self.derivation.derive(password)?;
        if !bool::from(mac(&key, &self.ciphertext).ct_eq(&self.mac)) {
            return Err(WalletError::WrongPassword);
        }
        let mut secret = Zeroizing::new([0; 32]);
        let start = secret
            .len()
            .checked_sub(self.ciphertext.len())
            .ok_or(WalletError::BadSecret)?;
        secret[start..].copy_from_slice(&self.ciphertext);
        apply_keystream(&key, &self.iv, &mut secret[start..]);
        let wallet = Wallet::from_secret(secret.as_slice())?;
        match self.address {
            Some(stated) if stated != wallet.address() => Err(WalletError::KeystoreAddress {
                stated,
                found: wallet.address(),
            }),
            _ => Ok(wallet),
        }
    }

    /// Reads a keystore file.
    ///
    /// # Errors
    /// [`WalletError::KeystoreJson`], [`WalletError::KeystoreUnsupported`],
    /// [`WalletError::KeystoreLimit`], [`WalletError::BadHex`], [`WalletError::BadAddress`].
    pub fn from_json(text: &str) -> Result<Self, WalletError> {
        if text.len() > MAX_KEYSTORE_BYTES {
            return Err(WalletError::KeystoreLimit {
                field: "file size",
                given: text.len() as u64,
                limit: MAX_KEYSTORE_BYTES as u64,
            });
        }
        serde_json::from_str::<RawKeystore>(text)
            .map_err(|error| WalletError::KeystoreJson(error.to_string()))?
            .try_into()
    }

    /// Writes it as a file's content, on several lines.
    ///
    /// # Errors
    /// [`WalletError::KeystoreJson`], which does not happen.
    pub fn to_json(&self) -> Result<String, WalletError> {
        serde_json::to_string_pretty(self)
            .map_err(|error| WalletError::KeystoreJson(error.to_string()))
    }

    /// Whose it says it is. Absent in the files of some programs, and nobody vouches for it before
    /// [`decrypt`](Self::decrypt).
    pub fn address(&self) -> Option<Address> {
        self.address
    }

    /// The file's identifier; a version 4 UUID when we made it.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for Keystore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.map(|address| address.to_string());
        f.debug_struct("Keystore")
            .field("address", &address)
            .finish_non_exhaustive()
    }
}

/// The first half of the derived key encrypts.
fn apply_keystream(key: &[u8; DERIVED_BYTES], iv: &[u8; 16], data: &mut [u8]) {
    let mut half = Zeroizing::new([0; 16]);
    half.copy_from_slice(&key[..16]);
    Aes128Ctr::new(&(*half).into(), &(*iv).into()).apply_keystream(data);
}

/// The second half authenticates: Keccak-256 of it and the ciphertext.
fn mac(key: &[u8; DERIVED_BYTES], ciphertext: &[u8]) -> [u8; 32] {
    let mut input = Zeroizing::new(Vec::with_capacity(16 + ciphertext.len()));
    input.extend_from_slice(&key[16..32]);
    input.extend_from_slice(ciphertext);
    keccak256(input.as_slice()).0
}

/// RFC 9562, section 5.4.
fn uuid_v4(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let digits = hex::encode(random);
    let groups = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    groups.join("-")
}

#[cfg(test)]
mod tests;
