//! EIP-712 typed data: the only thing that a wallet signs.
//!
//! Types are declared with `alloy_sol_types::sol!`. The domain of everything but money is
//! [`domain`]; money, which a chain must understand too, has its own ([`domain_for_chain`]).

use crate::{
    error::WalletError,
    signature::{Signature, recover},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_signer::{Signer, SignerSync};
pub use alloy_sol_types::{Eip712Domain, SolStruct};
use std::borrow::Cow;

/// `name` of the domain.
pub const DOMAIN_NAME: &str = "Layer Minus";
/// `version` of the domain.
pub const DOMAIN_VERSION: &str = "1";

mod sol_types {
    // The macro writes public items of its own, which no comment can reach.
    #![allow(missing_docs, unreachable_pub, clippy::pedantic)]
    alloy_sol_types::sol! {
        /// A wallet lets a device sign in its name. Times are unix seconds; `scope` is the text of
        /// a `Scope`.
        #[derive(Debug, PartialEq, Eq)]
        struct Delegation {
            address wallet;
            address device;
            string scope;
            uint64 validFrom;
            uint64 expiresAt;
            bytes16 nonce;
        }
    }
}
pub use sol_types::Delegation;

/// The domain of a network: name "Layer Minus", version "1", salt = Keccak-256 of the network id.
///
/// There is no chain id, because these signatures mean nothing to any chain; the salt keeps a
/// signature of one network from counting on another.
pub fn domain(network: &str) -> Eip712Domain {
    Eip712Domain {
        name: Some(Cow::Borrowed(DOMAIN_NAME)),
        version: Some(Cow::Borrowed(DOMAIN_VERSION)),
        chain_id: None,
        verifying_contract: None,
        salt: Some(keccak256(network)),
    }
}

/// The domain of something that a contract checks: name, version, chain id, verifying contract.
pub fn domain_for_chain(
    name: &str,
    version: &str,
    chain_id: u64,
    contract: Address,
) -> Eip712Domain {
    Eip712Domain {
        name: Some(Cow::Owned(name.to_owned())),
        version: Some(Cow::Owned(version.to_owned())),
        chain_id: Some(U256::from(chain_id)),
        verifying_contract: Some(contract),
        salt: None,
    }
}

/// What is signed: `keccak256(0x1901 ‖ domain separator ‖ hash of the struct)`.
pub fn hash<T: SolStruct>(message: &T, domain: &Eip712Domain) -> B256 {
    message.eip712_signing_hash(domain)
}

/// Signs `message` with a [`Wallet`](crate::Wallet) or any other signer.
///
/// # Errors
/// [`WalletError::Signer`] when a signer outside of this crate fails,
/// [`WalletError::BadSignature`] when what it returns is no signature. A `Wallet` never fails.
pub fn sign<T: SolStruct>(
    signer: &impl SignerSync,
    message: &T,
    domain: &Eip712Domain,
) -> Result<Signature, WalletError> {
    signer
        .sign_typed_data_sync(message, domain)
        .map_err(|error| WalletError::Signer(error.to_string()))?
        .try_into()
}

/// Signs `message` with a signer that takes its time: hardware, a remote service.
///
/// # Errors
/// As [`sign`].
pub async fn sign_async<T: SolStruct + Send + Sync>(
    signer: &(impl Signer + Sync),
    message: &T,
    domain: &Eip712Domain,
) -> Result<Signature, WalletError> {
    signer
        .sign_typed_data(message, domain)
        .await
        .map_err(|error| WalletError::Signer(error.to_string()))?
        .try_into()
}

/// The address that signed `message`. Compare it with the one that should have.
///
/// # Errors
/// [`WalletError::NoSigner`] when the signature fits no key.
pub fn signer_of<T: SolStruct>(
    message: &T,
    domain: &Eip712Domain,
    signature: &Signature,
) -> Result<Address, WalletError> {
    recover(&hash(message, domain), signature)
}

/// Checks that `expected` signed `message`.
///
/// # Errors
/// [`WalletError::WrongSigner`], [`WalletError::NoSigner`].
pub fn verify<T: SolStruct>(
    message: &T,
    domain: &Eip712Domain,
    signature: &Signature,
    expected: Address,
) -> Result<(), WalletError> {
    let found = signer_of(message, domain, signature)?;
    if found == expected {
        Ok(())
    } else {
        Err(WalletError::WrongSigner { expected, found })
    }
}
