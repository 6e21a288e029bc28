//! Which certificates are accepted, and what is read out of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{ADDRESS, NOW, VERSIONS, certificate, party, plain_key, refusal, rng, secret};
use layer_minus_packet::{Fingerprint, Recipient, admit_layer};
use layer_minus_seal::{
    Certificate, Keyring, SealError, SecretCertificate, Version, open_layer, seal_layer,
};
use pgp::composed::{
    ArmorOptions, EncryptionCaps, KeyType, Message, SecretKeyParamsBuilder, SignedPublicKey,
    SignedPublicSubKey, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::aead::AeadAlgorithm;
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{
    KeyFlags, PacketTrait, SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize;
use pgp::types::{Duration, KeyDetails, KeyVersion, Password, Timestamp};
use rand::SeedableRng;

/// A key made by the library, by its own builder and clock.
fn library_key(
    version: KeyVersion,
    primary: KeyType,
    sealing: &[KeyType],
    prefer: impl FnOnce(&mut SecretKeyParamsBuilder),
) -> SignedSecretKey {
    let mut builder = SecretKeyParamsBuilder::default();
    builder
        .version(version)
        .key_type(primary)
        .can_certify(true)
        .can_sign(true)
        .primary_user_id("somebody".to_owned());
    for kind in sealing {
        let mut subkey = SubkeyParamsBuilder::default();
        subkey
            .version(version)
            .key_type(kind.clone())
            .can_encrypt(EncryptionCaps::All);
        builder.subkey(subkey.build().unwrap());
    }
    prefer(&mut builder);
    builder.build().unwrap().generate(rng()).unwrap()
}

/// A signature of a party's primary key with that creation time and those subpackets.
fn config(
    key: &SignedSecretKey,
    typ: SignatureType,
    at: u64,
    more: Vec<SubpacketData>,
) -> SignatureConfig {
    let mut config = SignatureConfig::from_key(rng(), &key.primary_key, typ).unwrap();
    let created = SubpacketData::SignatureCreationTime(Timestamp::from_secs(at as u32));
    config.hashed_subpackets = std::iter::once(created)
        .chain(more)
        .map(|data| Subpacket::regular(data).unwrap())
        .collect();
    config
}

fn for_encryption() -> SubpacketData {
    let mut flags = KeyFlags::default();
    flags.set_encrypt_comms(true);
    SubpacketData::KeyFlags(flags)
}

#[test]
fn what_we_generate_reads_back_and_says_what_the_library_says() {
    for version in VERSIONS {
        let secret = party(version);
        let ours = secret.certificate();
        let plain = plain_key(&secret).to_public_key();
        plain.verify_bindings().unwrap();
        assert_eq!(
            ours.fingerprint().as_bytes(),
            plain.fingerprint().as_bytes()
        );
        let subkey = &plain.public_subkeys[0];
        assert_eq!(
            ours.encryption_key().as_bytes(),
            subkey.fingerprint().as_bytes()
        );
        assert_eq!(
            ours.encryption_key_id().to_bytes(),
            subkey.legacy_key_id().as_ref()
        );
        assert_eq!(ours.user_id().as_deref(), Some(ADDRESS));
        assert_eq!(ours.created_at(), NOW);
        assert_eq!(ours.expires_at(), None);
        assert_eq!(ours.reads_seipd_v2(), version == Version::V6);

        let again = Certificate::from_bytes(&ours.to_bytes()).unwrap();
        assert_eq!(
            (&again, again.to_bytes()),
            (&ours, plain.to_bytes().unwrap())
        );
        let armored = plain.to_armored_string(ArmorOptions::default()).unwrap();
        assert_eq!(Certificate::from_armored(armored.as_bytes()).unwrap(), ours);

        let armored = secret.to_armored_secret().unwrap();
        let back = SecretCertificate::from_armored(armored.as_bytes()).unwrap();
        assert_eq!(
            (back.certificate(), back.to_bytes()),
            (ours, secret.to_bytes())
        );
    }
}

#[test]
fn the_same_seed_and_time_make_the_same_certificate() {
    for version in VERSIONS {
        assert_eq!(party(version).to_bytes(), party(version).to_bytes());
        let signature = &plain_key(&party(version)).secret_subkeys[0].signatures[0];
        assert_eq!(signature.created(), Some(Timestamp::from_secs(NOW as u32)));
    }
    let late = SecretCertificate::generate(&mut rng(), 1 << 32, Version::V6, "");
    assert_eq!(late.unwrap_err(), SealError::Time(1 << 32));
}

#[test]
fn our_version_6_advertises_gcm_and_version_4_aes() {
    let v6 = plain_key(&party(Version::V6));
    let direct = &v6.details.direct_signatures[0];
    let gcm = (SymmetricKeyAlgorithm::AES256, AeadAlgorithm::Gcm);
    assert_eq!(direct.preferred_aead_algs()[0], gcm);
    assert!(direct.features().unwrap().seipd_v2());
    let v4 = plain_key(&party(Version::V4));
    let about = &v4.details.users[0].signatures[0];
    assert_eq!(
        about.preferred_symmetric_algs()[0],
        SymmetricKeyAlgorithm::AES256
    );
    assert!(!about.features().unwrap().seipd_v2());
}

/// RFC 9580 §A.3 and §A.4: the sample version 6 certificate and its secret key.
#[test]
fn the_samples_of_the_rfc_are_read() {
    const SECRET: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----

xUsGY4d/4xsAAAAg+U2nu0jWCmHlZ3BqZYfQMxmZu52JGggkLq2EVD34laMAGXKB
exK+cH6NX1hs5hNhIB00TrJmosgv3mg1ditlsLfCsQYfGwoAAABCBYJjh3/jAwsJ
BwUVCg4IDAIWAAKbAwIeCSIhBssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce6
2azJBScJAgcCAAAAAK0oIBA+LX0ifsDm185Ecds2v8lwgyU2kCcUmKfvBXbAf6rh
RYWzuQOwEn7E/aLwIwRaLsdry0+VcallHhSu4RN6HWaEQsiPlR4zxP/TP7mhfVEe
7XWPxtnMUMtf15OyA51YBMdLBmOHf+MZAAAAIIaTJINn+eUBXbki+PSAld2nhJh/
LVmFsS+60WyvXkQ1AE1gCk95TUR3XFeibg/u/tVY6a//1q0NWC1X+yui3O24wpsG
GBsKAAAALAWCY4d/4wKbDCIhBssYbE8GCaaX5NUt+mxyKwwfHifBilZwj2Ul7Ce6
2azJAAAAAAQBIKbpGG2dWTX8j+VjFM21J0hqWlEg+bdiojWnKfA5AQpWUWtnNwDE
M0g12vYxoWM8Y81W+bHBw805I8kWVkXU6vFOi+HWvv/ira7ofJu16NnoUkhclkUr
k0mXubZvyl4GBg==
-----END PGP PRIVATE KEY BLOCK-----";
    let secret = SecretCertificate::from_armored(SECRET.as_bytes()).unwrap();
    let certificate = secret.certificate();
    assert_eq!(
        certificate.fingerprint().to_string(),
        "cb186c4f0609a697e4d52dfa6c722b0c1f1e27c18a56708f6525ec27bad9acc9"
    );
    assert_eq!(
        certificate.encryption_key().to_string(),
        "12c83f1e706f6308fe151a417743a1f033790e93e9978488d1db378da9930885"
    );
    assert_eq!(
        (certificate.user_id(), certificate.created_at()),
        (None, 0x6387_7FE3)
    );
    let packet = seal_layer(&mut rng(), &certificate, &[b"x"], 16_000).unwrap();
    assert_eq!(
        open_layer(&packet, &Keyring::from(secret)).unwrap().body[0],
        b'x'
    );
}

#[test]
fn every_kind_of_encryption_key_that_is_accepted_is_sealed_to() {
    let v4 = |sealing| library_key(KeyVersion::V4, KeyType::Ed25519Legacy, &[sealing], |_| {});
    let v6 = |sealing| library_key(KeyVersion::V6, KeyType::Ed25519, &[sealing], |_| {});
    let keys = [
        v4(KeyType::ECDH(ECCCurve::Curve25519Legacy)),
        v4(KeyType::ECDH(ECCCurve::P256)),
        v4(KeyType::ECDH(ECCCurve::P384)),
        v4(KeyType::ECDH(ECCCurve::P521)),
        v4(KeyType::X25519),
        v4(KeyType::X448),
        v6(KeyType::X25519),
        v6(KeyType::X448),
        v6(KeyType::ECDH(ECCCurve::P256)),
        library_key(
            KeyVersion::V4,
            KeyType::Rsa(2048),
            &[KeyType::Rsa(2048)],
            |_| {},
        ),
    ];
    for key in &keys {
        let certificate = certificate(&key.to_public_key()).unwrap();
        let packet = seal_layer(&mut rng(), &certificate, &[b"hello"], 10_000).unwrap();
        assert_eq!(packet.len(), 10_000);
        assert!(
            admit_layer(&packet)
                .unwrap()
                .recipient()
                .matches(&certificate.encryption_key())
        );
        let message = Message::from_bytes(&packet[..]).unwrap();
        let mut opened = message.decrypt(&Password::empty(), key).unwrap();
        assert_eq!(opened.as_data_vec().unwrap()[..5], *b"hello");
        match secret(key) {
            Ok(secret) => {
                let opened = open_layer(&packet, &Keyring::from(secret)).unwrap();
                assert_eq!(opened.body[..5], *b"hello");
                assert_eq!(opened.recipient, certificate.encryption_key());
            }
            Err(why) => {
                assert_eq!(
                    why,
                    SealError::SecretKey("only X25519, X448 and ECDH keys open")
                );
            }
        }
    }
}

/// Five Ed448 signatures took 64 ms to verify, and any stranger could send them.
#[test]
fn a_primary_key_that_is_slow_to_verify_is_refused() {
    let x25519 = [KeyType::X25519];
    for (version, primary) in [
        (KeyVersion::V6, KeyType::Ed448),
        (KeyVersion::V4, KeyType::ECDSA(ECCCurve::P521)),
    ] {
        let key = library_key(version, primary, &x25519, |_| {});
        assert_eq!(
            certificate(&key.to_public_key()).unwrap_err(),
            SealError::Certificate("a primary key of an algorithm that is not taken")
        );
    }
    for primary in [ECCCurve::P256, ECCCurve::P384] {
        let primary = KeyType::ECDSA(primary);
        let key = library_key(KeyVersion::V4, primary, &x25519, |_| {});
        certificate(&key.to_public_key()).unwrap();
    }
}

#[test]
fn the_holders_preferences_choose_the_algorithms() {
    use SymmetricKeyAlgorithm::{AES128, AES256};
    let used = |key: &SignedSecretKey| {
        let to = certificate(&key.to_public_key()).unwrap();
        let packet = seal_layer(&mut rng(), &to, &[b"x"], 10_000).unwrap();
        let opened = open_layer(&packet, &Keyring::from(secret(key).unwrap())).unwrap();
        assert_eq!(opened.body[..1], *b"x");
        let mut head = admit_layer(&packet)
            .unwrap()
            .encrypted(&packet)
            .next()
            .unwrap()
            .len();
        head = packet.len() - head;
        match admit_layer(&packet).unwrap().version().number() {
            2 => Some((packet[head - 35], packet[head - 34])),
            _ => None,
        }
    };
    let v6 = |aead: &[(SymmetricKeyAlgorithm, AeadAlgorithm)]| {
        let aead = aead.iter().copied().collect();
        library_key(
            KeyVersion::V6,
            KeyType::Ed25519,
            &[KeyType::X25519],
            |builder| {
                builder
                    .feature_seipd_v2(true)
                    .preferred_aead_algorithms(aead);
            },
        )
    };
    assert_eq!(
        used(&v6(&[
            (AES256, AeadAlgorithm::Ocb),
            (AES256, AeadAlgorithm::Gcm)
        ])),
        Some((9, 3))
    );
    assert_eq!(used(&v6(&[(AES128, AeadAlgorithm::Gcm)])), Some((7, 3)));
    assert_eq!(used(&v6(&[(AES256, AeadAlgorithm::Ocb)])), Some((9, 2)));
    assert_eq!(used(&v6(&[(AES256, AeadAlgorithm::Eax)])), Some((7, 2)));
    assert_eq!(used(&v6(&[])), Some((7, 2)));
    let sealing = [KeyType::ECDH(ECCCurve::Curve25519Legacy)];
    let v4 = |seipd_v2: bool| {
        library_key(
            KeyVersion::V4,
            KeyType::Ed25519Legacy,
            &sealing,
            |builder| {
                builder.feature_seipd_v2(seipd_v2);
            },
        )
    };
    assert_eq!(used(&v4(false)), None);
    assert_eq!(used(&v4(true)), Some((7, 2)));
}

#[test]
fn a_certificate_of_version_4_that_reads_version_2_is_named_by_its_fingerprint() {
    let sealing = [KeyType::ECDH(ECCCurve::Curve25519Legacy)];
    let key = library_key(
        KeyVersion::V4,
        KeyType::Ed25519Legacy,
        &sealing,
        |builder| {
            builder.feature_seipd_v2(true);
        },
    );
    let to = certificate(&key.to_public_key()).unwrap();
    let packet = seal_layer(&mut rng(), &to, &[b"x"], 10_000).unwrap();
    let Recipient::Fingerprint(named @ Fingerprint::V4(_)) =
        admit_layer(&packet).unwrap().recipient()
    else {
        panic!("not named by a version 4 fingerprint");
    };
    assert_eq!(named, to.encryption_key());
}

#[test]
fn the_newest_bound_subkey_is_chosen() {
    for version in VERSIONS {
        let key = plain_key(&party(version));
        let mut other = rand_chacha::ChaCha20Rng::from_seed([9; 32]);
        let newer = SecretCertificate::generate(&mut other, NOW + 1, version, "other").unwrap();
        let newer = plain_key(&newer)
            .to_public_key()
            .public_subkeys
            .remove(0)
            .key;
        let bind = |more| {
            config(&key, SignatureType::SubkeyBinding, NOW + 1, more)
                .sign_subkey_binding(
                    &key.primary_key,
                    key.primary_key.public_key(),
                    &Password::empty(),
                    &newer,
                )
                .unwrap()
        };
        let with = |signatures| {
            let mut public = key.to_public_key();
            public
                .public_subkeys
                .insert(0, SignedPublicSubKey::new(newer.clone(), signatures));
            certificate(&public)
                .unwrap()
                .encryption_key()
                .as_bytes()
                .to_vec()
        };
        let (old, new) = (
            key.secret_subkeys[0].key.fingerprint().as_bytes().to_vec(),
            newer.fingerprint().as_bytes().to_vec(),
        );
        assert_eq!(with(vec![bind(vec![for_encryption()])]), new);
        // Bound, but not for encryption.
        assert_eq!(with(vec![bind(vec![])]), old);
        // Bound by its own primary key, not by this one.
        let foreign =
            plain_key(&SecretCertificate::generate(&mut other, NOW, version, "").unwrap());
        assert_eq!(with(foreign.secret_subkeys[0].signatures.clone()), old);
        // Revoked after it was bound.
        let revoked = config(&key, SignatureType::SubkeyRevocation, NOW + 2, vec![])
            .sign_subkey_binding(
                &key.primary_key,
                key.primary_key.public_key(),
                &Password::empty(),
                &newer,
            )
            .unwrap();
        assert_eq!(with(vec![revoked, bind(vec![for_encryption()])]), old);
    }
}

#[test]
fn revoked_unsigned_and_subkeyless_certificates_are_refused() {
    for version in VERSIONS {
        let key = plain_key(&party(version));
        let revocation = config(&key, SignatureType::KeyRevocation, NOW + 5, vec![])
            .sign_key(
                &key.primary_key,
                &Password::empty(),
                key.primary_key.public_key(),
            )
            .unwrap();
        let mut public = key.to_public_key();
        public
            .details
            .revocation_signatures
            .push(revocation.clone());
        assert_eq!(refusal(certificate(&public)), "revoked");

        // Somebody else's revocation revokes nothing.
        let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
        let other = SecretCertificate::generate(&mut rng, NOW, version, "").unwrap();
        let mut other = plain_key(&other).to_public_key();
        other.details.revocation_signatures.push(revocation);
        certificate(&other).unwrap();

        let mut public = key.to_public_key();
        public.public_subkeys.clear();
        assert_eq!(refusal(certificate(&public)), "no usable encryption subkey");

        let mut public = key.to_public_key();
        public.details.users.clear();
        public.details.direct_signatures.clear();
        assert_eq!(
            refusal(certificate(&public)),
            "no valid self-signature over the primary key"
        );
    }
}

#[test]
fn a_stolen_self_signature_says_nothing() {
    // The User ID and its certification of one key under another: the name must not move.
    let ours = plain_key(&party(Version::V4));
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([3; 32]);
    let thief = SecretCertificate::generate(&mut rng, NOW, Version::V4, "thief").unwrap();
    let mut public: SignedPublicKey = plain_key(&thief).to_public_key();
    public
        .details
        .users
        .insert(0, ours.details.users[0].clone());
    assert_eq!(
        certificate(&public).unwrap().user_id().as_deref(),
        Some("thief")
    );
    public.details.users.pop();
    assert_eq!(
        refusal(certificate(&public)),
        "no valid self-signature over the primary key"
    );
}

#[test]
fn a_revoked_user_id_is_not_shown() {
    let key = plain_key(&party(Version::V6));
    let id: &UserId = &key.details.users[0].id;
    let revocation = config(&key, SignatureType::CertRevocation, NOW, vec![])
        .sign_certification(
            &key.primary_key,
            key.primary_key.public_key(),
            &Password::empty(),
            id.tag(),
            id,
        )
        .unwrap();
    let mut public = key.to_public_key();
    public.details.users[0].signatures.push(revocation);
    assert_eq!(certificate(&public).unwrap().user_id(), None);
}

#[test]
fn bindings_over_a_hash_that_can_be_collided_say_nothing() {
    let key = plain_key(&party(Version::V4));
    let mut weak = config(
        &key,
        SignatureType::SubkeyBinding,
        NOW,
        vec![for_encryption()],
    );
    weak.hash_alg = HashAlgorithm::Sha1;
    let weak = weak.sign_subkey_binding(
        &key.primary_key,
        key.primary_key.public_key(),
        &Password::empty(),
        key.secret_subkeys[0].key.public_key(),
    );
    // The library may refuse to make it; if it makes one, we refuse to believe it.
    if let Ok(weak) = weak {
        let mut public = key.to_public_key();
        public.public_subkeys[0].signatures = vec![weak];
        assert_eq!(refusal(certificate(&public)), "no usable encryption subkey");
    }
}

#[test]
fn the_earliest_expiry_is_told() {
    let key = plain_key(&party(Version::V6));
    let bind = |more: Vec<SubpacketData>| {
        let mut public = key.to_public_key();
        let binding = config(
            &key,
            SignatureType::SubkeyBinding,
            NOW + 100,
            [vec![for_encryption()], more].concat(),
        )
        .sign_subkey_binding(
            &key.primary_key,
            key.primary_key.public_key(),
            &Password::empty(),
            key.secret_subkeys[0].key.public_key(),
        )
        .unwrap();
        public.public_subkeys[0].signatures = vec![binding];
        certificate(&public).unwrap().expires_at()
    };
    let key_for = |secs| SubpacketData::KeyExpirationTime(Duration::from_secs(secs));
    let sig_for = |secs| SubpacketData::SignatureExpirationTime(Duration::from_secs(secs));
    assert_eq!(bind(vec![]), None);
    assert_eq!(bind(vec![key_for(0)]), None);
    assert_eq!(bind(vec![key_for(1_000)]), Some(NOW + 1_000));
    assert_eq!(bind(vec![key_for(1_000), sig_for(500)]), Some(NOW + 600));
    assert_eq!(
        bind(vec![key_for(u32::MAX)]),
        Some(NOW + u64::from(u32::MAX))
    );
}
