//! Inputs that crash or stall a general OpenPGP library, each refused in few steps.
//! (`allocation.rs` shows that they allocate nothing, the bench how long they take.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Stage, new, pkesk3, pkesk6};
use layer_minus_packet::{
    CHUNK_OCTET_MAX, FILLERS_MAX, MESSAGE_PKESKS_MAX, PARTIALS_MAX, PKESKS_MAX, ReadError, Refused,
    SIGNATURES_MAX, SealedPacket, Sizes, metered,
};

fn layer(octets: &[u8]) -> (Refused, usize) {
    let mut steps = 0;
    (metered::admit_layer(octets, &mut steps).unwrap_err(), steps)
}

fn message(octets: &[u8]) -> (Refused, usize) {
    let mut steps = 0;
    (
        metered::admit_message(octets, &mut steps).unwrap_err(),
        steps,
    )
}

fn literal(octets: &[u8]) -> (Refused, usize) {
    let mut steps = 0;
    (
        metered::read_literal(octets, &mut steps).unwrap_err(),
        steps,
    )
}

fn plain(octets: &[u8]) -> (Refused, usize) {
    let mut steps = 0;
    (
        metered::read_plain_message(octets, &mut steps).unwrap_err(),
        steps,
    )
}

fn unexpected(offset: usize, tag: u8) -> Refused {
    Refused::Framing(ReadError::UnexpectedPacket { offset, tag })
}

/// The length of the PKESK that `common` puts in front of layers.
fn pkesk_len() -> usize {
    new(1, &pkesk6(&[0xab; 32])).len()
}

#[test]
fn aead_octet_other_than_1_to_3_is_refused() {
    for value in (0..=255).filter(|value| !(1..=3).contains(value)) {
        let octets = common::aead_octet(value);
        assert_eq!(layer(&octets), (Refused::AeadAlgorithm { value }, 2));
        assert_eq!(message(&octets), (Refused::AeadAlgorithm { value }, 2));
        let mut packet = common::layer_of(16_000);
        packet[pkesk_len() + 6 + 2] = value;
        assert_eq!(
            SealedPacket::admit(packet.into(), &Sizes::default()),
            Err(Refused::AeadAlgorithm { value })
        );
    }
}

#[test]
fn symmetric_algorithm_other_than_aes_is_refused() {
    for value in (0..=255).filter(|value| !(7..=9).contains(value)) {
        let mut packet = common::layer_of(16_000);
        packet[pkesk_len() + 6 + 1] = value;
        assert_eq!(layer(&packet), (Refused::SymmetricAlgorithm { value }, 2));
    }
}

#[test]
fn chunk_octet_16_is_refused() {
    for value in 0..=255 {
        let octets = common::chunk_octet(value);
        if value <= CHUNK_OCTET_MAX {
            assert!(layer_minus_packet::admit_layer(&octets).is_ok(), "{value}");
        } else {
            let refused = Refused::ChunkSize {
                value,
                limit: CHUNK_OCTET_MAX,
            };
            assert_eq!(layer(&octets), (refused, 2));
            assert_eq!(message(&octets), (refused, 2));
        }
    }
}

#[test]
fn thirty_thousand_one_pass_signatures_are_refused() {
    let octets = common::one_pass_signatures(30_000);
    assert_eq!(layer(&octets), (unexpected(0, 4), 1));
    assert_eq!(message(&octets), (unexpected(0, 4), 1));
    assert_eq!(literal(&octets), (unexpected(0, 4), 1));
    let refused = Refused::TooManySignatures {
        limit: SIGNATURES_MAX,
    };
    assert_eq!(plain(&octets), (refused, SIGNATURES_MAX + 1));
}

#[test]
fn thirty_thousand_signatures_behind_the_literal_are_refused() {
    let octets = [
        new(11, &common::literal(b"x")),
        common::signature().repeat(30_000),
    ]
    .concat();
    let refused = Refused::TooManySignatures {
        limit: SIGNATURES_MAX,
    };
    // Once for the literal as end of the one-pass signatures, once for itself.
    assert_eq!(plain(&octets), (refused, 2 + SIGNATURES_MAX + 1));
}

#[test]
fn twelve_thousand_wildcard_pkesks_are_refused() {
    let octets = common::wildcard_pkesks(12_190);
    let second = new(1, &pkesk3([0; 8])).len();
    assert_eq!(layer(&octets), (unexpected(second, 1), 2));
    let refused = Refused::TooManyPkesks {
        limit: MESSAGE_PKESKS_MAX,
    };
    assert_eq!(message(&octets), (refused, MESSAGE_PKESKS_MAX + 1));
    let mut steps = 0;
    let offset = PKESKS_MAX * second;
    assert_eq!(
        metered::read_head(&octets, &mut steps).unwrap_err(),
        ReadError::TooManyPackets {
            offset,
            tag: 1,
            limit: PKESKS_MAX
        }
    );
    assert_eq!(steps, PKESKS_MAX + 1);
}

#[test]
fn bzip2_bomb_is_refused() {
    let octets = common::bzip2_bomb();
    assert_eq!(layer(&octets), (unexpected(0, 8), 1));
    assert_eq!(message(&octets), (unexpected(0, 8), 1));
    assert_eq!(literal(&octets), (Refused::Compressed { offset: 0 }, 1));
    let (refused, steps) = plain(&octets);
    assert_eq!(refused, Refused::Compressed { offset: 0 });
    assert!(steps <= 2);
    // As GnuPG writes it: legacy format, indeterminate length.
    assert_eq!(plain(&[0xa3, 3, 0x42]).0, Refused::Compressed { offset: 0 });
    // Compressed inside a signature.
    let signed = [common::one_pass(), octets].concat();
    let offset = common::one_pass().len();
    assert_eq!(plain(&signed).0, Refused::Compressed { offset });
}

#[test]
fn half_a_million_padding_packets_are_refused() {
    let front = common::paddings_in_front(500_000);
    assert_eq!(layer(&front), (unexpected(0, 21), 1));
    assert_eq!(message(&front), (unexpected(0, 21), 1));
    let mut steps = 0;
    assert_eq!(
        metered::read_head(&front, &mut steps).unwrap_err(),
        ReadError::TooManyPackets {
            offset: 2 * FILLERS_MAX,
            tag: 21,
            limit: FILLERS_MAX
        }
    );
    assert_eq!(steps, FILLERS_MAX + 1);

    let behind = common::paddings_behind(500_000);
    let refused = Refused::TrailingOctets {
        offset: 11,
        count: 2 * 499_999,
    };
    assert_eq!(literal(&behind), (refused, 2));
    let (plain_refused, steps) = plain(&behind);
    assert_eq!(plain_refused, refused);
    assert!(steps <= 4, "{steps}");
}

#[test]
fn one_octet_partial_lengths_are_refused() {
    let octets = common::one_octet_partials(500_000);
    let offset = pkesk_len();
    assert_eq!(
        layer(&octets),
        (
            Refused::Framing(ReadError::PartialLength { offset, tag: 18 }),
            2
        )
    );
    let refused = Refused::PartialTooShort {
        offset: offset + 1,
        length: 1,
    };
    assert_eq!(message(&octets), (refused, 2));
    let octets = common::one_octet_partial_literal(500_000);
    assert_eq!(
        literal(&octets),
        (
            Refused::Framing(ReadError::PartialLength { offset: 0, tag: 11 }),
            1
        )
    );
    assert_eq!(
        plain(&octets).0,
        Refused::PartialTooShort {
            offset: 1,
            length: 1
        }
    );
}

#[test]
fn short_partials_behind_a_long_one_are_refused() {
    let mut octets = [&[0xd2, 224 + 9][..], &common::seipd2(512)].concat();
    octets.extend([224 + 8].iter().chain(&[0; 256]));
    octets.push(0);
    let octets = [new(1, &pkesk6(&[1; 32])), octets].concat();
    let offset = pkesk_len() + 2 + 512;
    assert_eq!(
        message(&octets),
        (
            Refused::PartialTooShort {
                offset,
                length: 256
            },
            3
        )
    );
}

#[test]
fn too_many_partial_lengths_are_refused() {
    let fits = common::partial(11, &common::literal(&vec![0; PARTIALS_MAX * 512 - 6]), 9);
    assert!(layer_minus_packet::read_plain_message(&fits).is_ok());
    let octets = common::partial(11, &common::literal(&vec![0; 8 << 20]), 9);
    let (refused, steps) = plain(&octets);
    assert_eq!(
        refused,
        Refused::TooManyPartials {
            limit: PARTIALS_MAX
        }
    );
    assert!(steps <= PARTIALS_MAX + 2, "{steps}");
}

#[test]
fn a_thousand_nested_layers_are_refused() {
    let octets = common::nested_layers(1_001);
    assert_eq!(literal(&octets), (unexpected(0, 1), 1));
    let (refused, steps) = plain(&octets);
    assert_eq!(refused, unexpected(0, 1));
    assert!(steps <= 2);
    let octets = common::nested_compressed(1_001);
    assert_eq!(literal(&octets), (Refused::Compressed { offset: 0 }, 1));
    assert_eq!(plain(&octets).0, Refused::Compressed { offset: 0 });
}

#[test]
fn password_packets_are_refused() {
    assert_eq!(layer(&common::argon2_skesk()), (unexpected(0, 3), 1));
    assert_eq!(message(&common::argon2_skesk()), (unexpected(0, 3), 1));
    let behind = common::argon2_skesk_behind();
    let offset = new(1, &pkesk3([1; 8])).len();
    assert_eq!(layer(&behind), (unexpected(offset, 3), 2));
    assert_eq!(message(&behind), (unexpected(offset, 3), 2));
    // The lenient reader passes it without computing anything.
    let mut steps = 0;
    assert!(metered::read_head(&behind, &mut steps).is_ok());
    assert_eq!(steps, 2);
}

#[test]
fn encrypted_data_without_integrity_is_refused() {
    let octets = common::tag_9();
    let offset = new(1, &pkesk3([1; 8])).len();
    assert_eq!(layer(&octets), (unexpected(offset, 9), 2));
    assert_eq!(message(&octets), (unexpected(offset, 9), 2));
}

/// The list that `allocation.rs` and the bench go through is refused as a whole.
#[test]
fn everything_on_the_list_is_refused() {
    for hostile in common::hostile() {
        let octets = &hostile.octets;
        let steps = match hostile.stage {
            Stage::Sealed => layer(octets).1.max(message(octets).1),
            Stage::Opened => literal(octets).1.max(plain(octets).1),
        };
        assert!(steps <= 20, "{}: {steps} steps", hostile.name);
    }
}
