//! Layers of exact sizes, ours against ours and against the plain OpenPGP library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{NOW, SIZES, VERSIONS, party, plain_key, random, rng};
use layer_minus_packet::{LAYERS_MAX, Recipient, SIZE_MIN, Sizes, admit_layer};
use layer_minus_seal::{
    Keyring, LAYER_OVERHEAD_MAX, SealError, SecretCertificate, Version, layer_capacity, open_layer,
    open_message, seal_layer,
};
use pgp::composed::{Message, MessageBuilder};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::Password;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

#[test]
fn what_we_seal_has_the_exact_size_and_opens() {
    for version in VERSIONS {
        let secret = party(version);
        let ring = Keyring::from(secret.clone());
        for size in SIZES {
            let body = random(layer_capacity(size));
            let (head, tail) = body.split_at(100);
            let packet =
                seal_layer(&mut rng(), &secret.certificate(), &[head, &[], tail], size).unwrap();
            assert_eq!(packet.len(), size);
            let opened = open_layer(&packet, &ring).unwrap();
            assert_eq!(opened.recipient, secret.certificate().encryption_key());
            assert_eq!(opened.body[..body.len()], body);
            assert!(opened.body[body.len()..].iter().all(|&octet| octet == 0));
        }
    }
}

#[test]
fn the_head_names_the_encryption_subkey() {
    let v6 = party(Version::V6).certificate();
    let packet = seal_layer(&mut rng(), &v6, &[b"x"], 16_000).unwrap();
    let layout = admit_layer(&packet).unwrap();
    assert_eq!(
        layout.recipient(),
        Recipient::Fingerprint(v6.encryption_key())
    );
    assert_eq!(layout.version().number(), 2);

    let v4 = party(Version::V4).certificate();
    let packet = seal_layer(&mut rng(), &v4, &[b"x"], 16_000).unwrap();
    let layout = admit_layer(&packet).unwrap();
    assert_eq!(layout.recipient(), Recipient::KeyId(v4.encryption_key_id()));
    assert_eq!(layout.version().number(), 1);
}

#[test]
fn the_openpgp_library_opens_what_we_seal() {
    for version in VERSIONS {
        let secret = party(version);
        let key = plain_key(&secret);
        for size in SIZES {
            let body = random(layer_capacity(size));
            let packet = seal_layer(&mut rng(), &secret.certificate(), &[&body], size).unwrap();
            let message = Message::from_bytes(&packet[..]).unwrap();
            let mut opened = message.decrypt(&Password::empty(), &key).unwrap();
            let data = opened.as_data_vec().unwrap();
            assert_eq!(data[..body.len()], body);
            assert!(data[body.len()..].iter().all(|&octet| octet == 0));
        }
    }
}

#[test]
fn we_open_what_the_openpgp_library_seals_with_every_algorithm() {
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256};
    let secret = party(Version::V6);
    let subkey = &plain_key(&secret).to_public_key().public_subkeys[0];
    let ring = Keyring::from(secret.clone());
    for size in SIZES {
        let body = random(layer_capacity(size));
        for sym in [AES128, AES192, AES256] {
            for aead in [AeadAlgorithm::Gcm, AeadAlgorithm::Ocb, AeadAlgorithm::Eax] {
                for chunk in [ChunkSize::C64B, ChunkSize::C64KiB, ChunkSize::C1MiB] {
                    let mut builder = MessageBuilder::from_bytes("", body.clone()).seipd_v2(
                        rng(),
                        sym,
                        aead,
                        chunk,
                    );
                    builder.partial_chunk_size(1 << 21).unwrap();
                    builder.encrypt_to_key(rng(), subkey).unwrap();
                    let packet = builder.to_vec(rng()).unwrap();
                    assert_eq!(open_layer(&packet, &ring).unwrap().body, body);
                }
            }
        }
    }
}

#[test]
fn we_open_version_1_of_the_openpgp_library_and_its_partial_lengths() {
    use SymmetricKeyAlgorithm::{AES128, AES192, AES256};
    for version in VERSIONS {
        let secret = party(version);
        let subkey = &plain_key(&secret).to_public_key().public_subkeys[0];
        let ring = Keyring::from(secret.clone());
        let body = random(1_000_000);
        for sym in [AES128, AES192, AES256] {
            let made = |partial: u32| {
                let mut builder = MessageBuilder::from_bytes("", body.clone()).seipd_v1(rng(), sym);
                builder.partial_chunk_size(partial).unwrap();
                builder.encrypt_to_key(rng(), subkey).unwrap();
                builder.to_vec(rng()).unwrap()
            };
            assert_eq!(open_layer(&made(1 << 21), &ring).unwrap().body, body);
            let message = made(4096);
            assert!(matches!(
                open_layer(&message, &ring),
                Err(SealError::NotAdmitted(_))
            ));
            let opened = open_message(&message, &ring, 2_000_000).unwrap();
            assert_eq!((opened.body.as_ref(), opened.filename), (&body[..], None));
            assert!(matches!(
                open_message(&message, &ring, message.len() - 1),
                Err(SealError::TooLarge { .. })
            ));
        }
    }
}

#[test]
fn sizes_above_a_chunk_are_reached_exactly_and_read_by_the_library() {
    let secret = party(Version::V6);
    let key = plain_key(&secret);
    let ring = Keyring::from(secret.clone());
    // Around the length at which a second chunk begins, and well above.
    let around = (1 << 20) + 117 + 36 + 16 - 8..(1 << 20) + 117 + 36 + 16 + 40;
    for size in around.step_by(8).chain([4_000_000]) {
        let packet = seal_layer(&mut rng(), &secret.certificate(), &[b"x"], size).unwrap();
        assert_eq!(packet.len(), size);
        let opened = open_layer(&packet, &ring).unwrap().body;
        let message = Message::from_bytes(&packet[..]).unwrap();
        let mut plain = message.decrypt(&Password::empty(), &key).unwrap();
        assert!(plain.as_data_vec().unwrap() == opened, "{size}");
    }
}

#[test]
fn four_layers_nest_and_each_hop_opens_one() {
    for version in VERSIONS {
        let hops: Vec<SecretCertificate> = (0..LAYERS_MAX as u64)
            .map(|hop| {
                let mut rng = ChaCha20Rng::seed_from_u64(hop);
                SecretCertificate::generate(&mut rng, NOW, version, "").unwrap()
            })
            .collect();
        for size in SIZES {
            let content = random(layer_capacity(Sizes::innermost(size) + 2048) - 500);
            let header = [0x11; 300];
            let mut packet = bytes::Bytes::from(content.clone());
            // A header of a frame goes before the inner packet: the reserve has room for both.
            let inner_sizes = (0..LAYERS_MAX).map(|depth| size - depth * 2048);
            for (hop, size) in hops.iter().zip(inner_sizes.collect::<Vec<_>>()).rev() {
                packet =
                    seal_layer(&mut rng(), &hop.certificate(), &[&header, &packet], size).unwrap();
            }
            assert_eq!(packet.len(), size);
            for (depth, hop) in hops.iter().enumerate() {
                let opened = open_layer(&packet, &Keyring::from(hop.clone())).unwrap();
                assert_eq!(opened.body[..header.len()], header);
                let inner = match depth + 1 == LAYERS_MAX {
                    true => content.len(),
                    false => size - (depth + 1) * 2048,
                };
                packet = opened.body.slice(header.len()..header.len() + inner);
            }
            assert_eq!(packet, content);
        }
    }
}

#[test]
fn the_overhead_is_within_its_bound_and_one_byte_more_is_refused() {
    for version in VERSIONS {
        let to = party(version).certificate();
        let SealError::SizeUnreachable { size, needed } =
            seal_layer(&mut rng(), &to, &[&[0; 16_000]], 16_000).unwrap_err()
        else {
            panic!("another error");
        };
        let overhead = needed - size;
        assert!(overhead <= LAYER_OVERHEAD_MAX, "{overhead}");
        let fits = vec![1; 16_000 - overhead];
        assert_eq!(
            seal_layer(&mut rng(), &to, &[&fits], 16_000).unwrap().len(),
            16_000
        );
        assert_eq!(
            seal_layer(&mut rng(), &to, &[&fits, &[1]], 16_000),
            Err(SealError::SizeUnreachable {
                size: 16_000,
                needed: 16_001
            })
        );
    }
}

#[test]
fn absurd_sizes_are_refused_without_a_panic() {
    for version in VERSIONS {
        let to = party(version).certificate();
        for size in (0..400).chain([17_000_000, usize::MAX]) {
            if let Ok(packet) = seal_layer(&mut rng(), &to, &[b"1234567890"], size) {
                assert_eq!(packet.len(), size);
                assert!(size > 100);
            }
        }
        assert!(matches!(
            seal_layer(&mut rng(), &to, &[], 20_000_000),
            Err(SealError::TooLarge { .. })
        ));
    }
}

#[test]
fn a_stranger_and_a_wildcard_have_no_key() {
    let to = party(Version::V6);
    let mut other = ChaCha20Rng::seed_from_u64(99);
    let stranger = SecretCertificate::generate(&mut other, NOW, Version::V6, "").unwrap();
    let packet = seal_layer(&mut rng(), &to.certificate(), &[b"x"], 16_000).unwrap();
    assert_eq!(
        open_layer(&packet, &Keyring::from(stranger)),
        Err(SealError::NoKey)
    );
    assert_eq!(open_layer(&packet, &Keyring::new()), Err(SealError::NoKey));

    let subkey = &plain_key(&to).to_public_key().public_subkeys[0];
    let mut builder = MessageBuilder::from_bytes("", vec![0; 100]).seipd_v2(
        rng(),
        SymmetricKeyAlgorithm::AES256,
        AeadAlgorithm::Gcm,
        ChunkSize::C1MiB,
    );
    builder.encrypt_to_key_anonymous(rng(), subkey).unwrap();
    let packet = builder.to_vec(rng()).unwrap();
    assert_eq!(
        open_layer(&packet, &Keyring::from(to)),
        Err(SealError::NoKey)
    );
}

#[test]
fn every_changed_octet_of_the_head_and_tags_is_noticed() {
    for version in VERSIONS {
        let secret = party(version);
        let ring = Keyring::from(secret.clone());
        let packet = seal_layer(&mut rng(), &secret.certificate(), &[b"x"], SIZE_MIN).unwrap();
        // See the next test for what a version 3 head does not protect.
        let redundant = |at| version == Version::V4 && (12..15).contains(&at);
        for at in (0..200)
            .chain(packet.len() - 40..packet.len())
            .filter(|at| !redundant(*at))
        {
            let mut changed = packet.to_vec();
            changed[at] ^= 0x04;
            assert!(
                open_layer(&changed, &ring).is_err(),
                "octet {at} of {version:?}"
            );
        }
    }
}

/// The ephemeral key of a version 3 PKESK has several encodings (its length in bits, its format
/// octet) and the key derivation does not bind it: the same packet has other bytes. So a seen-set
/// must remember what was inside, not what was outside.
#[test]
fn outer_bytes_of_version_3_are_no_identity() {
    let secret = party(Version::V4);
    let ring = Keyring::from(secret.clone());
    let packet = seal_layer(&mut rng(), &secret.certificate(), &[b"x"], SIZE_MIN).unwrap();
    let mut same = packet.to_vec();
    same[13] ^= 0x04;
    assert_ne!(same, packet);
    assert_eq!(open_layer(&same, &ring), open_layer(&packet, &ring));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_body_at_any_size_comes_back(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..900), 0..6),
        more in 0usize..9_000,
        v4: bool,
    ) {
        let secret = party(if v4 { Version::V4 } else { Version::V6 });
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let body = parts.concat();
        let size = body.len() + 2048 + more;
        let packet = seal_layer(&mut rng(), &secret.certificate(), &parts, size).unwrap();
        prop_assert_eq!(packet.len(), size);
        let opened = open_layer(&packet, &Keyring::from(secret)).unwrap();
        prop_assert_eq!(&opened.body[..body.len()], &body[..]);
    }

    #[test]
    fn garbage_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let ring = Keyring::from(party(Version::V6));
        prop_assert!(open_layer(&bytes, &ring).is_err());
        prop_assert!(open_message(&bytes, &ring, 1_000).is_err());
    }
}
