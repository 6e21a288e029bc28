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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wallet;
    use alloy_primitives::{ChainId, address, b256};
    use alloy_signer::{Error, UnsupportedSignerOperation};

    mod example {
        alloy_sol_types::sol! {
            struct Person { string name; address wallet; }
            struct Mail { Person from; Person to; string contents; }
        }
    }

    fn mail() -> (example::Mail, Eip712Domain, Wallet) {
        let person = |name: &str, wallet| example::Person {
            name: name.to_owned(),
            wallet,
        };
        let mail = example::Mail {
            from: person("Cow", address!("CD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826")),
            to: person("Bob", address!("bBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB")),
            contents: "Hello, Bob!".to_owned(),
        };
        let contract = address!("CcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC");
        let wallet = Wallet::from_secret(keccak256("cow").as_slice()).unwrap();
        (
            mail,
            domain_for_chain("Ether Mail", "1", 1, contract),
            wallet,
        )
    }

    /// The example of EIP-712 itself.
    #[test]
    fn the_example_of_the_standard() {
        let (mail, domain, wallet) = mail();
        assert_eq!(
            domain.separator(),
            b256!("f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f")
        );
        assert_eq!(
            hash(&mail, &domain),
            b256!("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2")
        );
        let signature = sign(&wallet, &mail, &domain).unwrap();
        assert_eq!(
            signature.to_string(),
            "0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d\
             07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562\
             1c"
        );
        assert_eq!(signer_of(&mail, &domain, &signature), Ok(mail.from.wallet));
        assert_eq!(verify(&mail, &domain, &signature, mail.from.wallet), Ok(()));
        assert_eq!(
            verify(&mail, &domain, &signature, mail.to.wallet),
            Err(WalletError::WrongSigner {
                expected: mail.to.wallet,
                found: mail.from.wallet
            })
        );
    }

    #[test]
    fn a_signature_counts_in_its_domain_only() {
        let (mail, domain, wallet) = mail();
        let signature = sign(&wallet, &mail, &domain).unwrap();
        let contract = domain.verifying_contract.unwrap();
        for other in [
            super::domain("devnet"),
            super::domain("main"),
            domain_for_chain("Ether Mail", "1", 2, contract),
            domain_for_chain("Ether Mail", "2", 1, contract),
            domain_for_chain("Mail", "1", 1, contract),
            domain_for_chain("Ether Mail", "1", 1, Address::ZERO),
        ] {
            assert!(
                verify(&mail, &other, &signature, wallet.address()).is_err(),
                "{other:?}"
            );
        }
        assert_ne!(
            super::domain("devnet").separator(),
            super::domain("main").separator()
        );
    }

    /// A device that shows typed data and signs nothing else, with a high `s` as some do.
    struct Hardware(Wallet);

    impl SignerSync for Hardware {
        fn sign_hash_sync(&self, _: &B256) -> alloy_signer::Result<alloy_primitives::Signature> {
            Err(Error::UnsupportedOperation(
                UnsupportedSignerOperation::SignHash,
            ))
        }

        fn sign_typed_data_sync<T: SolStruct>(
            &self,
            message: &T,
            domain: &Eip712Domain,
        ) -> alloy_signer::Result<alloy_primitives::Signature> {
            let low = self.0.sign_hash(&message.eip712_signing_hash(domain));
            let low = alloy_primitives::Signature::from(&low);
            let order = b256!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
            let high = U256::from_be_bytes(order.0) - low.s();
            Ok(alloy_primitives::Signature::new(low.r(), high, !low.v()))
        }

        fn chain_id_sync(&self) -> Option<ChainId> {
            None
        }
    }

    #[test]
    fn a_hardware_wallet_signs_typed_data_and_no_hashes() {
        let (mail, domain, wallet) = mail();
        let hardware = Hardware(wallet.clone());
        assert_eq!(
            sign(&hardware, &mail, &domain),
            sign(&wallet, &mail, &domain)
        );
    }

    /// A signer that is out of reach.
    struct Unplugged;

    impl SignerSync for Unplugged {
        fn sign_hash_sync(&self, _: &B256) -> alloy_signer::Result<alloy_primitives::Signature> {
            Err(Error::message("unplugged"))
        }

        fn chain_id_sync(&self) -> Option<ChainId> {
            None
        }
    }

    #[test]
    fn a_failing_signer_is_told() {
        let (mail, domain, _) = mail();
        assert_eq!(
            sign(&Unplugged, &mail, &domain),
            Err(WalletError::Signer("unplugged".to_owned()))
        );
    }

    #[test]
    fn signs_asynchronously_too() {
        let (mail, domain, wallet) = mail();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let future = std::pin::pin!(sign_async(&wallet, &mail, &domain));
        let std::task::Poll::Ready(signature) = future.poll(&mut context) else {
            panic!("a local key does not wait");
        };
        assert_eq!(signature, sign(&wallet, &mail, &domain));
    }
}
