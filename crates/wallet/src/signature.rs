//! Signatures in their one canonical form, and who made them.

use crate::error::WalletError;
use alloy_primitives::{Address, B256, U256};
use secp256k1::{
    All, Message, PublicKey, Secp256k1, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr, sync::OnceLock};

/// Length of a signature: r, s, v.
pub const SIGNATURE_BYTES: usize = 65;

/// Half the order of secp256k1, the largest `s` of a canonical signature ([EIP-2]).
///
/// [EIP-2]: https://eips.ethereum.org/EIPS/eip-2
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Ethereum writes the recovery ids 0 and 1 as 27 and 28.
const V_OFFSET: u8 = 27;

/// The tables of libsecp256k1: one context for the process, because making one costs more than a
/// signature.
pub(crate) fn curve() -> &'static Secp256k1<All> {
    static CURVE: OnceLock<Secp256k1<All>> = OnceLock::new();
    CURVE.get_or_init(Secp256k1::new)
}

/// A recoverable ECDSA signature over secp256k1: `r ‖ s ‖ v`, 65 bytes, `v` 27 or 28, low `s`.
///
/// Text form: `0x` and 130 hex digits. A value of this type is always canonical, since every way
/// to make one checks that. Still it is never an identity: whoever holds the key can sign the same
/// content again with other bytes, so what was signed is what counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Checks and takes `r ‖ s ‖ v`.
    ///
    /// # Errors
    /// [`WalletError::BadSignature`] when it is not 65 bytes, `v` is not 27 or 28, `r` or `s` is
    /// zero or not below the order, or `s` is in the upper half (malleable).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WalletError> {
        let bytes: [u8; SIGNATURE_BYTES] = bytes
            .try_into()
            .map_err(|_| WalletError::BadSignature("length is not 65 bytes"))?;
        let (compact, v) = bytes.split_at(SIGNATURE_BYTES - 1);
        let (r, s) = compact.split_at(32);
        if !matches!(v, [27 | 28]) {
            return Err(WalletError::BadSignature("v is not 27 or 28"));
        }
        if s > HALF_ORDER.as_slice() {
            return Err(WalletError::BadSignature(
                "s is in the upper half of the order",
            ));
        }
        let zero = |scalar: &[u8]| scalar.iter().all(|byte| *byte == 0);
        if zero(r)
            || zero(s)
            || RecoverableSignature::from_compact(compact, RecoveryId::Zero).is_err()
        {
            return Err(WalletError::BadSignature(
                "r or s is zero or not below the order",
            ));
        }
        Ok(Self(bytes))
    }

    /// `r ‖ s ‖ v`.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_BYTES] {
        self.0
    }

    /// `r ‖ s ‖ v`.
    pub fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }

    fn y_is_odd(&self) -> bool {
        self.0[SIGNATURE_BYTES - 1] == V_OFFSET + 1
    }

    fn recoverable(&self) -> Result<RecoverableSignature, WalletError> {
        let id = if self.y_is_odd() {
            RecoveryId::One
        } else {
            RecoveryId::Zero
        };
        RecoverableSignature::from_compact(&self.0[..SIGNATURE_BYTES - 1], id)
            .map_err(|_| WalletError::BadSignature("r or s is not below the order"))
    }
}

/// Signs with the nonce of RFC 6979, so that the same key and hash always give the same bytes.
pub(crate) fn sign(secret: &SecretKey, hash: &B256) -> Signature {
    let message = Message::from_digest(hash.0);
    let mut signed = curve().sign_ecdsa_recoverable(message, secret);
    let mut retries: u64 = 0;
    loop {
        let (id, compact) = signed.serialize_compact();
        let v = match id {
            RecoveryId::Zero => V_OFFSET,
            RecoveryId::One => V_OFFSET + 1,
            // r overflowed the order, which happens once in 2^127 and which v cannot say.
            RecoveryId::Two | RecoveryId::Three => {
                retries += 1;
                let mut extra = [0; 32];
                extra[..8].copy_from_slice(&retries.to_le_bytes());
                signed = curve().sign_ecdsa_recoverable_with_noncedata(message, secret, &extra);
                continue;
            }
        };
        let mut bytes = [v; SIGNATURE_BYTES];
        bytes[..SIGNATURE_BYTES - 1].copy_from_slice(&compact);
        return Signature(bytes);
    }
}

/// The address whose key signed `hash`.
///
/// There is nearly always *some* address, so compare it with the one that should have signed.
///
/// # Errors
/// [`WalletError::NoSigner`] when the signature fits no key.
pub fn recover(hash: &B256, signature: &Signature) -> Result<Address, WalletError> {
    let public = curve()
        .recover_ecdsa(Message::from_digest(hash.0), &signature.recoverable()?)
        .map_err(|_| WalletError::NoSigner)?;
    Ok(address_of(&public))
}

/// The last 20 bytes of the Keccak-256 of the uncompressed point without its tag.
pub(crate) fn address_of(public: &PublicKey) -> Address {
    Address::from_raw_public_key(&public.serialize_uncompressed()[1..])
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl FromStr for Signature {
    type Err = WalletError;

    fn from_str(text: &str) -> Result<Self, WalletError> {
        let mut bytes = [0; SIGNATURE_BYTES];
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
            .ok_or(WalletError::BadHex {
                what: "signature",
                bytes: SIGNATURE_BYTES,
            })?;
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = WalletError;

    fn try_from(bytes: &[u8]) -> Result<Self, WalletError> {
        Self::from_bytes(bytes)
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Into the type of the `alloy-signer` traits.
impl From<&Signature> for alloy_primitives::Signature {
    fn from(signature: &Signature) -> Self {
        let (r, s) = signature.0[..SIGNATURE_BYTES - 1].split_at(32);
        Self::new(
            U256::from_be_slice(r),
            U256::from_be_slice(s),
            signature.y_is_odd(),
        )
    }
}

/// From what a foreign signer returned; a high `s` is brought into canonical form first, since
/// signers are free in that and the signature is theirs either way.
impl TryFrom<alloy_primitives::Signature> for Signature {
    type Error = WalletError;

    fn try_from(foreign: alloy_primitives::Signature) -> Result<Self, WalletError> {
        Self::from_bytes(&foreign.normalized_s().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wallet;
    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    /// The order of secp256k1.
    const ORDER: U256 = U256::from_be_bytes([
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36,
        0x41, 0x41,
    ]);

    fn signed() -> (Wallet, B256, Signature) {
        let wallet = Wallet::from_secret(&[7; 32]).unwrap();
        let hash = keccak256("hash");
        let signature = wallet.sign_hash(&hash);
        (wallet, hash, signature)
    }

    fn join(r: U256, s: U256, v: u8) -> [u8; 65] {
        let mut bytes = [v; 65];
        bytes[..32].copy_from_slice(&r.to_be_bytes::<32>());
        bytes[32..64].copy_from_slice(&s.to_be_bytes::<32>());
        bytes
    }

    fn split(signature: &Signature) -> (U256, U256, u8) {
        let bytes = signature.as_bytes();
        (
            U256::from_be_slice(&bytes[..32]),
            U256::from_be_slice(&bytes[32..64]),
            bytes[64],
        )
    }

    fn reason(bytes: &[u8]) -> &'static str {
        match Signature::from_bytes(bytes) {
            Err(WalletError::BadSignature(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_mirrored_signature_is_refused() {
        let (wallet, hash, signature) = signed();
        let (r, s, v) = split(&signature);
        let mirrored = join(r, ORDER - s, 55 - v);
        assert_eq!(reason(&mirrored), "s is in the upper half of the order");
        // It is a signature of the same key all the same, which is why the form must be one.
        let plain = alloy_primitives::Signature::from_raw(&mirrored).unwrap();
        assert_eq!(
            plain.recover_address_from_prehash(&hash).unwrap(),
            wallet.address()
        );
        assert_eq!(Signature::try_from(plain).unwrap(), signature);
    }

    #[test]
    fn half_the_order_is_the_largest_s() {
        let half = U256::from_be_bytes(HALF_ORDER);
        assert_eq!(half, ORDER / U256::from(2));
        let r = U256::from(1);
        assert!(Signature::from_bytes(&join(r, half, 27)).is_ok());
        assert!(Signature::from_bytes(&join(r, half + r, 27)).is_err());
    }

    #[test]
    fn refuses_every_other_form() {
        let (_, _, signature) = signed();
        let (r, s, v) = split(&signature);
        for wrong in [0, 1, 2, 26, 29, 30, 37, 255] {
            assert_eq!(reason(&join(r, s, wrong)), "v is not 27 or 28");
        }
        let range = "r or s is zero or not below the order";
        assert_eq!(reason(&join(U256::ZERO, s, v)), range);
        assert_eq!(reason(&join(r, U256::ZERO, v)), range);
        assert_eq!(reason(&join(ORDER, s, v)), range);
        assert_eq!(reason(&join(U256::MAX, s, v)), range);
        assert!(Signature::from_bytes(&join(ORDER - U256::from(1), s, v)).is_ok());
        for length in [0, 64, 66] {
            assert_eq!(reason(&vec![27; length]), "length is not 65 bytes");
        }
    }

    #[test]
    fn recovers_the_signer_and_nobody_from_nonsense() {
        let (wallet, hash, signature) = signed();
        assert_eq!(recover(&hash, &signature), Ok(wallet.address()));
        assert_ne!(
            recover(&keccak256("other"), &signature),
            Ok(wallet.address())
        );
        let (_, s, v) = split(&signature);
        // No point of the curve has x = 5.
        let nowhere = Signature::from_bytes(&join(U256::from(5), s, v)).unwrap();
        assert_eq!(recover(&hash, &nowhere), Err(WalletError::NoSigner));
    }

    #[test]
    fn text_is_hex_with_its_prefix() {
        let (_, _, signature) = signed();
        let text = signature.to_string();
        assert_eq!(text.len(), 132);
        assert_eq!(text.parse(), Ok(signature));
        assert_eq!(
            format!("0x{}", text[2..].to_uppercase()).parse(),
            Ok(signature)
        );
        let spaced = format!("{text} ");
        for wrong in ["", "0x", &text[2..], &text[..130], &spaced, "0xä"] {
            assert_eq!(
                wrong.parse::<Signature>(),
                Err(WalletError::BadHex {
                    what: "signature",
                    bytes: 65
                })
            );
        }
        let json = serde_json::to_string(&signature).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Signature>(&json).unwrap(), signature);
        let (r, s, v) = split(&signature);
        let mirrored = format!("\"0x{}\"", hex::encode(join(r, ORDER - s, 55 - v)));
        assert!(serde_json::from_str::<Signature>(&mirrored).is_err());
    }

    proptest! {
        #[test]
        fn sign_encode_decode_recover(secret in any::<[u8; 32]>(), hash in any::<[u8; 32]>()) {
            prop_assume!(Wallet::from_secret(&secret).is_ok());
            let wallet = Wallet::from_secret(&secret).unwrap();
            let hash = B256::from(hash);
            let signature = wallet.sign_hash(&hash);
            prop_assert_eq!(Signature::from_bytes(&signature.to_bytes()), Ok(signature));
            prop_assert_eq!(signature.to_string().parse(), Ok(signature));
            let foreign = alloy_primitives::Signature::from(&signature);
            prop_assert_eq!(Signature::try_from(foreign), Ok(signature));
            prop_assert_eq!(recover(&hash, &signature), Ok(wallet.address()));
        }

        #[test]
        fn any_bytes_are_refused_or_recover_quietly(
            mut bytes in any::<[u8; 65]>(),
            v in 26_u8..30,
            hash in any::<[u8; 32]>(),
        ) {
            bytes[64] = v;
            if let Ok(signature) = Signature::from_bytes(&bytes) {
                prop_assert_eq!(signature.to_bytes(), bytes);
                let ours = recover(&B256::from(hash), &signature).ok();
                let theirs = alloy_primitives::Signature::from(&signature)
                    .recover_address_from_prehash(&B256::from(hash)).ok();
                prop_assert_eq!(ours, theirs);
            } else {
                prop_assert!(!(27..=28).contains(&v) || bytes[32] >= 0x7f);
            }
        }
    }
}
