//! Secret keys, rings of them, limits, armor, and what gets printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{NOW, VERSIONS, party, plain_key, refusal, rng, secret};
use layer_minus_packet::Recipient;
use layer_minus_seal::{
    CERTIFICATE_BYTES_MAX, Certificate, Keyring, SealError, SecretCertificate, Version,
};
use proptest::prelude::*;
use rand::SeedableRng;

#[test]
fn locked_foreign_and_public_keys_do_not_open() {
    let mut key = plain_key(&party(Version::V4));
    key.secret_subkeys[0]
        .key
        .set_password(rng(), &"locked".into())
        .unwrap();
    assert_eq!(refusal(secret(&key)), "it is locked with a password");
    let public = party(Version::V6).certificate().to_bytes();
    assert_eq!(
        refusal(SecretCertificate::from_bytes(&public)),
        "does not begin with a primary key of the expected kind"
    );
    assert_eq!(
        refusal(Certificate::from_bytes(&party(Version::V6).to_bytes())),
        "does not begin with a primary key of the expected kind"
    );
}

#[test]
fn armor_of_another_kind_and_broken_armor_are_refused() {
    let secret = party(Version::V6);
    let armored = secret.to_armored_secret().unwrap();
    assert!(matches!(
        Certificate::from_armored(armored.as_bytes()),
        Err(SealError::Armor(_))
    ));
    for text in [
        "",
        "hello",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n",
    ] {
        assert!(
            Certificate::from_armored(text.as_bytes()).is_err(),
            "{text}"
        );
    }
    for len in (0..armored.len() - 1).step_by(7) {
        let cut = SecretCertificate::from_armored(&armored.as_bytes()[..len]);
        assert!(cut.is_err() || len > armored.len() - 40, "{len}");
    }
}

#[test]
fn the_size_limit_is_exact() {
    let genuine = party(Version::V6).certificate().to_bytes();
    let with = |len: usize| {
        let mut bytes = genuine.clone();
        // User IDs of 1,000 bytes, the last one with what is left over.
        while bytes.len() < len {
            let left = len - bytes.len() - 6;
            let body = if left < 2_000 { left } else { 1_000 };
            bytes.extend(common::packet(13, &vec![b'x'; body]));
        }
        assert_eq!(bytes.len(), len);
        bytes
    };
    Certificate::from_bytes(&with(CERTIFICATE_BYTES_MAX)).unwrap();
    assert_eq!(
        Certificate::from_bytes(&with(CERTIFICATE_BYTES_MAX + 1)).unwrap_err(),
        SealError::TooLarge {
            len: CERTIFICATE_BYTES_MAX + 1,
            limit: CERTIFICATE_BYTES_MAX
        }
    );
}

#[test]
fn nothing_prints_a_secret() {
    let secret = party(Version::V6);
    let ring = Keyring::from(secret.clone());
    let printed = format!("{secret:?} {ring:?} {:?}", secret.certificate());
    assert!(
        printed.contains("[scrubbed]") && printed.len() < 600,
        "{printed}"
    );
    let subkey = secret.certificate().encryption_key().to_string();
    assert!(printed.contains(&subkey));
}

#[test]
fn a_ring_finds_keys_by_fingerprint_and_key_id() {
    let mut ring = Keyring::new();
    assert!(ring.is_empty());
    let secrets: Vec<SecretCertificate> = (0..3u8)
        .map(|seed| {
            let mut rng = rand_chacha::ChaCha20Rng::from_seed([seed; 32]);
            SecretCertificate::generate(&mut rng, NOW, VERSIONS[usize::from(seed % 2)], "").unwrap()
        })
        .collect();
    for secret in &secrets {
        assert!(ring.insert(secret.clone()).is_none());
    }
    assert!(ring.insert(secrets[1].clone()).is_some());
    assert_eq!(ring.len(), 3);
    for secret in &secrets {
        let subkey = secret.certificate().encryption_key();
        for recipient in [
            Recipient::Fingerprint(subkey),
            Recipient::KeyId(subkey.key_id()),
        ] {
            let found = ring.find(&recipient).unwrap();
            assert_eq!(found.certificate(), secret.certificate());
        }
        // The primary key is not what a PKESK names.
        let primary = Recipient::Fingerprint(secret.certificate().fingerprint());
        assert!(ring.find(&primary).is_none());
    }
    assert!(ring.find(&Recipient::Wildcard).is_none());
    assert!(
        ring.remove(&secrets[0].certificate().encryption_key())
            .is_some()
    );
    assert!(
        ring.remove(&secrets[0].certificate().encryption_key())
            .is_none()
    );
    assert_eq!((ring.len(), ring.iter().count()), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_octet_never_panics_and_never_changes_the_keys(at: usize, mask in 1u8..) {
        let ours = party(Version::V6).certificate();
        let mut bytes = ours.to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= mask;
        if let Ok(changed) = Certificate::from_bytes(&bytes) {
            prop_assert_eq!(changed.fingerprint(), ours.fingerprint());
            prop_assert_eq!(changed.encryption_key(), ours.encryption_key());
        }
        let mut bytes = party(Version::V4).to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= mask;
        let _ = SecretCertificate::from_bytes(&bytes);
    }

    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Certificate::from_bytes(&bytes).is_err());
        prop_assert!(Certificate::from_armored(&bytes).is_err());
        prop_assert!(SecretCertificate::from_bytes(&bytes).is_err());
    }
}
