//! What crashes or stalls the OpenPGP library (rpgp 0.21), each through every door and refused
//! at the price of the input's length. The counted steps of admission are tested with the reader;
//! the bench `hostile` shows the time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{literal, packet, party, random, wrapped};
use layer_minus_packet::{CHUNK_OCTET_MAX, Refused};
use layer_minus_seal::{
    Certificate, Keyring, SealError, SecretCertificate, Version, open_layer, open_message,
    seal_layer,
};

/// Enough for what we hold of anything; hostile input must not buy more.
const LIMIT: usize = 4_000_000;
/// What refusing may allocate before anything was decrypted: panic hook, error values.
const REFUSAL_BYTES_MAX: u64 = 4_096;

fn ring() -> (SecretCertificate, Keyring) {
    let secret = party(Version::V6);
    (secret.clone(), Keyring::from(secret))
}

/// Opens through every door and says why the message door refused, and what all of them allocated.
fn refused(bytes: &[u8]) -> (SealError, u64) {
    let (_, ring) = ring();
    let mut why = None;
    let allocated = allocation_counter::measure(|| {
        assert!(open_layer(bytes, &ring).is_err());
        assert!(Certificate::from_bytes(bytes).is_err());
        assert!(SecretCertificate::from_bytes(bytes).is_err());
        why = open_message(bytes, &ring, LIMIT).err();
    });
    (why.expect("it opened"), allocated.bytes_total)
}

/// Refused before any cryptography and at no cost.
fn refused_sealed(bytes: &[u8]) -> SealError {
    let (why, allocated) = refused(bytes);
    assert!(
        allocated <= REFUSAL_BYTES_MAX,
        "{allocated} bytes allocated"
    );
    why
}

/// Properly encrypted to us, refused after decryption at a cost of a few times its length.
fn refused_opened(plaintext: &[u8]) -> SealError {
    let (secret, _) = ring();
    let bytes = wrapped(&secret, plaintext);
    let (why, allocated) = refused(&bytes);
    let most = 3 * bytes.len() as u64 + 64 * 1024;
    assert!(allocated >= plaintext.len() as u64, "it was not decrypted");
    assert!(
        allocated <= most,
        "{allocated} bytes allocated for {}",
        bytes.len()
    );
    why
}

fn sealed() -> Vec<u8> {
    let (secret, _) = ring();
    seal_layer(&mut common::rng(), &secret.certificate(), &[b"x"], 16_000)
        .unwrap()
        .to_vec()
}

/// Where the version octet of the encrypted data stands in [`sealed`]: behind a PKESK of 111
/// octets and a header of 6.
const SEIPD_BODY: usize = 117;

#[test]
fn the_layout_that_the_tests_rely_on() {
    assert_eq!(sealed()[SEIPD_BODY..SEIPD_BODY + 4], [2, 9, 3, 14]);
}

/// `crypto/aead.rs:277` indexes with the nonce size of an unknown mode. Any relay can flip it.
#[test]
fn aead_octet_outside_1_to_3() {
    for value in (0..=255).filter(|value| !(1..=3).contains(value)) {
        let mut bytes = sealed();
        bytes[SEIPD_BODY + 2] = value;
        assert_eq!(
            refused_sealed(&bytes),
            SealError::NotAdmitted(Refused::AeadAlgorithm { value })
        );
    }
}

/// A flip to another mode that exists reaches the library and fails there like any other change.
#[test]
fn aead_octet_flipped_to_another_mode() {
    let (_, ring) = ring();
    for value in 1..=2 {
        let mut bytes = sealed();
        bytes[SEIPD_BODY + 2] = value;
        assert_eq!(open_layer(&bytes, &ring), Err(SealError::NotAuthentic));
    }
}

/// Every value of every parameter octet, and no panic.
#[test]
fn every_value_of_every_parameter_octet() {
    let (_, ring) = ring();
    let original = sealed();
    for offset in 0..4 {
        for value in 0..=255 {
            let mut bytes = original.clone();
            bytes[SEIPD_BODY + offset] = value;
            let same = bytes == original;
            assert_eq!(
                open_layer(&bytes, &ring).is_ok(),
                same,
                "octet {offset} is {value}"
            );
        }
    }
}

/// 8 MiB of buffers for a packet of 200 octets.
#[test]
fn chunk_octet_16() {
    for value in CHUNK_OCTET_MAX + 1..=255 {
        let mut bytes = sealed();
        bytes[SEIPD_BODY + 3] = value;
        let limit = CHUNK_OCTET_MAX;
        assert_eq!(
            refused_sealed(&bytes),
            SealError::NotAdmitted(Refused::ChunkSize { value, limit })
        );
    }
}

/// 26 s in the library: each one-pass signature is another reader around the rest.
#[test]
fn thirty_thousand_one_pass_signatures() {
    let mut bytes = packet(4, &[3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 1]).repeat(30_000);
    bytes.extend(literal(b"x"));
    assert!(matches!(refused_sealed(&bytes), SealError::NotAdmitted(_)));
    assert!(matches!(
        refused_opened(&bytes),
        SealError::NotAdmitted(Refused::TooManySignatures { .. })
    ));
}

/// 0.7 s: every anonymous session key is tried with every key.
#[test]
fn twelve_thousand_wildcard_pkesks() {
    let mut pkesk = vec![3, 0, 0, 0, 0, 0, 0, 0, 0, 25];
    pkesk.extend(random(32));
    pkesk.extend([41, 9]);
    pkesk.extend(random(40));
    let mut bytes = packet(1, &pkesk).repeat(12_190);
    bytes.extend(packet(18, &[&[1][..], &random(1_000)].concat()));
    assert!(matches!(
        refused_sealed(&bytes),
        SealError::NotAdmitted(Refused::TooManyPkesks { .. })
    ));
}

/// 1,447 octets become 1 GiB. Nobody here decompresses anything.
#[test]
fn compressed_content() {
    for algorithm in 0..=3 {
        let bomb = packet(8, &[&[algorithm][..], &random(1_446)].concat());
        assert!(matches!(refused_sealed(&bomb), SealError::NotAdmitted(_)));
        assert_eq!(refused_opened(&bomb), SealError::Compressed);
        let (secret, ring) = ring();
        assert_eq!(
            open_layer(&wrapped(&secret, &bomb), &ring),
            Err(SealError::Compressed)
        );
    }
}

/// 69 ms of skipping.
#[test]
fn half_a_million_padding_packets() {
    let padding = [0xD5, 0].repeat(500_000);
    assert!(matches!(
        refused_sealed(&[&padding, &sealed()[..]].concat()),
        SealError::NotAdmitted(_)
    ));
    assert!(matches!(
        refused_sealed(&[&sealed()[..], &padding].concat()),
        SealError::NotAdmitted(Refused::TrailingOctets { .. })
    ));
    for plaintext in [
        [&padding[..], &literal(b"x")].concat(),
        [&literal(b"x"), &padding[..]].concat(),
    ] {
        assert!(matches!(
            refused_opened(&plaintext),
            SealError::NotAdmitted(_)
        ));
    }
}

/// 33 ms, and a copy of every octet by itself.
#[test]
fn one_octet_partial_lengths() {
    let cut = |tag: u8, body: &[u8]| {
        let mut octets = vec![0xC0 | tag];
        body.iter().for_each(|octet| octets.extend([0xE0, *octet]));
        octets.push(0);
        octets
    };
    let seipd = [&[2, 9, 3, 14][..], &random(500_000)].concat();
    let bytes = [&sealed()[..SEIPD_BODY - 6], &cut(18, &seipd)].concat();
    assert!(matches!(
        refused_sealed(&bytes),
        SealError::NotAdmitted(Refused::PartialTooShort { .. })
    ));
    let plaintext = cut(
        11,
        &[&b"b\x00\x00\x00\x00\x00"[..], &random(500_000)].concat(),
    );
    assert!(matches!(
        refused_opened(&plaintext),
        SealError::NotAdmitted(Refused::PartialTooShort { .. })
    ));
}

/// 0.18 s and as much stack: one container inside another.
#[test]
fn a_thousand_nested_layers() {
    let nest = |tag: u8, head: &[u8]| {
        let mut inside = literal(b"x");
        for _ in 0..1_001 {
            inside = packet(tag, &[head, &inside].concat());
        }
        inside
    };
    for (tag, head) in [
        (8, &[0][..]),
        (18, &[1]),
        (9, &[]),
        (20, &[1, 9, 2, 10]),
        (11, b"b\0\0\0\0\0"),
    ] {
        let nested = nest(tag, head);
        assert!(matches!(refused_sealed(&nested), SealError::NotAdmitted(_)));
        let (secret, ring) = ring();
        let bytes = wrapped(&secret, &nested);
        match open_layer(&bytes, &ring) {
            // A literal of literals is one literal: what is inside is data.
            Ok(opened) => assert_eq!((tag, opened.body[0]), (11, 0xCB)),
            Err(why) => {
                assert!(matches!(
                    why,
                    SealError::Compressed | SealError::NotAdmitted(_)
                ));
                assert_eq!(refused_opened(&nested), why);
            }
        }
    }
}

/// A password packet asks for gigabytes; tag 9 has no integrity; tag 20 is another dialect.
#[test]
fn passwords_and_other_containers() {
    let argon2 = [6, 9, 20, 4]
        .into_iter()
        .chain(random(16))
        .chain([32, 32, 31])
        .collect::<Vec<_>>();
    for first in [
        packet(3, &argon2),
        packet(9, &random(1_000)),
        packet(20, &[&[1, 9, 2, 10][..], &random(1_000)].concat()),
    ] {
        assert!(matches!(refused_sealed(&first), SealError::NotAdmitted(_)));
        let bytes = [&sealed()[..SEIPD_BODY - 6], &first].concat();
        assert!(matches!(refused_sealed(&bytes), SealError::NotAdmitted(_)));
        assert!(matches!(refused_opened(&first), SealError::NotAdmitted(_)));
    }
}

/// Lengths that promise four gigabytes.
#[test]
fn lengths_beyond_the_input() {
    for tag in [1, 2, 6, 11, 13, 14, 18] {
        let bytes = [0xC0 | tag, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 6, 9];
        assert!(matches!(
            refused_sealed(&bytes),
            SealError::NotAdmitted(_) | SealError::Certificate(_)
        ));
        assert!(matches!(refused_opened(&bytes), SealError::NotAdmitted(_)));
    }
}

/// What a certificate may hold is bounded before the library parses it.
#[test]
fn certificates_that_cost() {
    let genuine = party(Version::V6).certificate().to_bytes();
    let signature = packet(2, &[4; 60]);
    let dsa = [&[4, 0, 0, 0, 1, 17, 0xFF, 0xFF][..], &random(8_192)].concat();
    for bytes in [
        [&genuine[..], &signature.repeat(100)].concat(),
        [&genuine[..], &packet(13, b"").repeat(2_000)].concat(),
        [&genuine[..], &packet(17, &random(1_000))].concat(),
        [&genuine[..], &packet(14, &dsa)].concat(),
        [&genuine[..], &genuine].concat(),
        packet(6, &dsa),
        vec![0xC6; 16 * 1024],
        vec![0; 16 * 1024 + 1],
    ] {
        refused_sealed(&bytes);
    }
}
