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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;
    const DAY_S: u64 = 86_400;

    fn owner() -> Wallet {
        Wallet::from_secret(&[1; 32]).unwrap()
    }

    fn create(scope: Scope, lifetime_s: u64) -> Result<SignedDelegation, WalletError> {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let device = Wallet::from_secret(&[2; 32]).unwrap().address();
        SignedDelegation::create(&owner(), "devnet", device, scope, NOW, lifetime_s, &mut rng)
    }

    #[test]
    fn counts_from_its_start_to_its_end() {
        let signed = create(Scope::ALL, DAY_S).unwrap();
        let end = NOW + DAY_S;
        for now in [NOW - CLOCK_SKEW_S, NOW, end - 1] {
            assert_eq!(signed.verify("devnet", now), Ok(()), "{now}");
        }
        let early = NOW - CLOCK_SKEW_S - 1;
        assert_eq!(
            signed.verify("devnet", early),
            Err(WalletError::NotYetValid {
                valid_from: NOW,
                now: early
            })
        );
        for now in [end, end + 1, u64::MAX] {
            assert_eq!(
                signed.verify("devnet", now),
                Err(WalletError::Expired {
                    expires_at: end,
                    now
                })
            );
        }
    }

    #[test]
    fn lives_a_second_to_400_days() {
        assert!(create(Scope::ALL, 1).is_ok());
        assert!(create(Scope::ALL, MAX_LIFETIME_S).is_ok());
        for lifetime_s in [0, MAX_LIFETIME_S + 1, u64::MAX] {
            assert!(
                matches!(
                    create(Scope::ALL, lifetime_s),
                    Err(WalletError::Lifetime { .. })
                ),
                "{lifetime_s}"
            );
        }
    }

    /// Signed by the wallet itself, so that only the lifetime can be what is refused.
    #[test]
    fn a_lifetime_that_others_made_is_bounded_too() {
        for (valid_from, expires_at) in [
            (NOW, NOW + MAX_LIFETIME_S + 1),
            (NOW, u64::MAX),
            (NOW, NOW),
            (NOW + 1, NOW),
        ] {
            let mut terms = create(Scope::ALL, DAY_S).unwrap().terms();
            (terms.validFrom, terms.expiresAt) = (valid_from, expires_at);
            let signature = typed::sign(&owner(), &terms, &typed::domain("devnet")).unwrap();
            assert_eq!(
                SignedDelegation::from_parts(&terms, signature, "devnet"),
                Err(WalletError::Lifetime {
                    valid_from,
                    expires_at,
                    limit: MAX_LIFETIME_S
                })
            );
        }
    }

    #[test]
    fn a_change_of_any_field_breaks_it() {
        let signed = create(Scope::REQUEST, DAY_S).unwrap();
        type Change = fn(&mut SignedDelegation);
        let changes: [Change; 6] = [
            |d| d.wallet = d.device,
            |d| d.device = d.wallet,
            |d| d.scope = Scope::ALL,
            |d| d.valid_from -= 1,
            |d| d.expires_at += 1,
            |d| d.nonce[15] ^= 1,
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut forged = signed.clone();
            change(&mut forged);
            assert!(
                matches!(
                    forged.verify("devnet", NOW),
                    Err(WalletError::WrongSigner { .. })
                ),
                "change {i}"
            );
        }
        let mut stolen = signed.clone();
        stolen.signature = create(Scope::ALL, DAY_S).unwrap().signature;
        assert!(stolen.verify("devnet", NOW).is_err());
        assert!(matches!(
            signed.verify("main", NOW),
            Err(WalletError::WrongSigner { .. })
        ));
        assert_eq!(signed.verify("devnet", NOW), Ok(()));
    }

    #[test]
    fn covers_its_scope_only() {
        let request = create(Scope::REQUEST, DAY_S).unwrap();
        assert_eq!(request.verify_for(Scope::REQUEST, "devnet", NOW), Ok(()));
        assert_eq!(
            request.verify_for(Scope::MESSAGE, "devnet", NOW),
            Err(WalletError::OutOfScope {
                granted: Scope::REQUEST,
                needed: Scope::MESSAGE
            })
        );
        assert!(request.verify_for(Scope::REQUEST, "main", NOW).is_err());
        let all = create(Scope::ALL, DAY_S).unwrap();
        assert_eq!(all.verify_for(Scope::MESSAGE, "devnet", NOW), Ok(()));
    }

    #[test]
    fn a_wallet_elsewhere_signs_the_same_terms() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let made = create(Scope::ALL, DAY_S).unwrap();
        let terms = SignedDelegation::propose(
            owner().address(),
            made.device,
            Scope::ALL,
            NOW,
            DAY_S,
            &mut rng,
        )
        .unwrap();
        let signature = typed::sign(&owner(), &terms, &typed::domain("devnet")).unwrap();
        assert_eq!(
            SignedDelegation::from_parts(&terms, signature, "devnet"),
            Ok(made)
        );
        let stranger = Wallet::from_secret(&[9; 32]).unwrap();
        let wrong = typed::sign(&stranger, &terms, &typed::domain("devnet")).unwrap();
        assert_eq!(
            SignedDelegation::from_parts(&terms, wrong, "devnet"),
            Err(WalletError::WrongSigner {
                expected: owner().address(),
                found: stranger.address()
            })
        );
    }

    #[test]
    fn json_has_this_shape_and_no_other() {
        let signed = create(Scope::ALL, DAY_S).unwrap();
        let value = serde_json::to_value(&signed).unwrap();
        assert_eq!(
            value,
            json!({
                "wallet": signed.wallet.to_string(),
                "device": signed.device.to_string(),
                "scope": "request,message",
                "valid_from": "1800000000",
                "expires_at": "1800086400",
                "nonce": format!("0x{}", hex::encode(signed.nonce)),
                "signature": signed.signature.to_string(),
            })
        );
        let read = |value: &serde_json::Value| {
            serde_json::from_str::<SignedDelegation>(&value.to_string())
        };
        for (field, wrong) in [
            ("valid_from", json!(1_800_000_000)),
            ("valid_from", json!("01800000000")),
            ("valid_from", json!("+1800000000")),
            ("valid_from", json!("18446744073709551616")),
            ("expires_at", json!("")),
            ("expires_at", json!("-1")),
            ("scope", json!("")),
            ("nonce", json!("0x00")),
            ("nonce", json!(hex::encode(signed.nonce))),
            ("wallet", json!("0x0")),
            ("device", json!(signed.device.to_string().replace("d", "D"))),
            ("signature", json!("0x")),
            ("extra", json!(1)),
        ] {
            let mut changed = value.clone();
            changed[field] = wrong.clone();
            assert!(read(&changed).is_err(), "{field} = {wrong}");
        }
        let text = value.to_string();
        for field in ["wallet", "scope", "nonce", "signature"] {
            let mut missing = value.clone();
            missing.as_object_mut().unwrap().remove(field);
            assert!(read(&missing).is_err(), "{field}");
            let twice = text.replacen('{', &format!("{{\"{field}\":{},", value[field]), 1);
            let error = serde_json::from_str::<SignedDelegation>(&twice).unwrap_err();
            assert!(error.to_string().contains("duplicate field"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn json_round_trip(
            secret in 1..u64::MAX,
            device in any::<[u8; 20]>(),
            all in any::<bool>(),
            now in any::<u32>(),
            lifetime_s in 1..=MAX_LIFETIME_S,
            seed in any::<u64>(),
        ) {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&secret.to_be_bytes());
            let wallet = Wallet::from_secret(&bytes).unwrap();
            let scope = if all { Scope::ALL } else { Scope::MESSAGE };
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let signed = SignedDelegation::create(
                &wallet, "n", device.into(), scope, now.into(), lifetime_s, &mut rng,
            ).unwrap();
            let text = serde_json::to_string(&signed).unwrap();
            let read: SignedDelegation = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read.verify("n", now.into()), Ok(()));
            prop_assert_eq!(read, signed);
        }
    }
}
