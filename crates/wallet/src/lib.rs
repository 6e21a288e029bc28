//! Wallets of Layer Minus: keys, keystores, phrases and EIP-712 signatures.
//!
//! A wallet is a secp256k1 key and its address is the only name that anybody has on the
//! network. All that a wallet signs is [EIP-712] typed data, which MetaMask or a hardware wallet
//! can show and sign, and which is checked by recovering the signer's address. OpenPGP seals;
//! wallets authenticate.
//!
//! This crate does no IO, reads no clock and owns no source of chance: `now` (unix seconds) and
//! `rng` come in as arguments.
//!
//! | to do this | use |
//! |---|---|
//! | make or import a key | [`Wallet`] |
//! | keep it on disk under a password | [`keystore::Keystore`] |
//! | sign and check typed data | [`typed::sign`], [`typed::signer_of`] |
//! | let a device sign everyday things | [`SignedDelegation`], [`DeviceKey`] |
//! | read an address that a person typed | [`parse_address`] |
//!
//! ```
//! use layer_minus_wallet::{DeviceKey, Scope, Wallet};
//! # fn main() -> Result<(), layer_minus_wallet::WalletError> {
//! # use rand::SeedableRng;
//! # let mut rng = rand::rngs::StdRng::seed_from_u64(1);
//! let now = 1_800_000_000;
//! let owner = Wallet::generate(&mut rng);
//! let device = DeviceKey::generate(&mut rng, &owner, "devnet", Scope::ALL, now, 30 * 86_400)?;
//! device.delegation().verify("devnet", now)?;
//! assert_eq!(device.delegation().wallet, owner.address());
//! # Ok(())
//! # }
//! ```
//!
//! # JSON
//! Addresses are EIP-55 strings, 64-bit integers decimal strings, bytes lowercase hex with `0x`.
//! A key that occurs twice is refused. An unknown key is refused in what a wallet signed (nothing
//! unsigned may ride along) and skipped in a keystore (other programs add their own).
//!
//! [EIP-712]: https://eips.ethereum.org/EIPS/eip-712
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod address;
mod delegation;
mod device;
mod error;
pub mod keystore;
mod phrase;
mod scope;
mod signature;
pub mod text;
pub mod typed;
mod wallet;

pub use address::parse_address;
pub use alloy_primitives::{Address, B256};
pub use delegation::{CLOCK_SKEW_S, MAX_LIFETIME_S, SignedDelegation};
pub use device::DeviceKey;
pub use error::WalletError;
pub use phrase::MAX_PHRASE_BYTES;
pub use scope::Scope;
pub use signature::{SIGNATURE_BYTES, Signature, recover};
pub use wallet::Wallet;
