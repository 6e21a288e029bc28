//! The fuzzer's seeds go through every reader in an ordinary test run too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// A test may read and write files.
#![allow(clippy::disallowed_methods)]

mod common;

use std::{collections::BTreeMap, fs, path::PathBuf};

use common::{Form, new, packet, partial, pkesk3, pkesk6};
use layer_minus_packet::{
    Refused, admit_layer, admit_message, armor, is_unaddressed, read_head, read_literal,
    read_plain_message, read_wire_head,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/packet_reader")
}

fn seeds() -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

/// Small inputs made here: hostile ones, and sound ones that no tool writes.
fn made() -> Vec<(&'static str, Vec<u8>)> {
    let armored = [
        armor::BEGIN,
        b"\nComment: x\n\nwQwDAQEBAQEBAQEBAADSPAE=\n=AbCd\n",
        armor::END,
    ];
    vec![
        (
            "made-aead-octet",
            [
                new(1, &pkesk6(&[1; 32])),
                new(18, &common::seipd2_with(80, 9, 4, 10)),
            ]
            .concat(),
        ),
        ("made-argon2-password", common::argon2_skesk_behind()),
        ("made-armored", armored.concat()),
        ("made-bzip2-bomb", common::bzip2_bomb()[..64].to_vec()),
        ("made-layer", common::layer_of(300)),
        (
            "made-legacy-forms",
            [
                packet(Form::Legacy(1), 1, &pkesk3([1; 8])),
                packet(Form::Legacy(2), 1, &pkesk3([2; 8])),
                packet(Form::Legacy(4), 1, &pkesk3([3; 8])),
                packet(Form::NewFive, 18, &common::seipd1(60)),
            ]
            .concat(),
        ),
        ("made-nested", common::nested_layers(3)),
        ("made-one-octet-partials", common::one_octet_partials(80)),
        ("made-one-pass-signatures", common::one_pass_signatures(10)),
        ("made-paddings-behind", common::paddings_behind(5)),
        (
            "made-paddings-in-front",
            [new(21, b"x"), new(10, b"PGP"), common::layer_of(200)].concat(),
        ),
        (
            "made-partial",
            [
                new(1, &pkesk6(&[1; 20])),
                partial(18, &common::seipd2(1_100), 9),
            ]
            .concat(),
        ),
        (
            "made-partial-inside",
            partial(11, &common::literal(&[7; 600]), 9),
        ),
        ("made-tag-9", common::tag_9()),
        ("made-wildcards", common::wildcard_pkesks(17)),
    ]
}

#[test]
fn every_seed_is_read_without_panic() {
    let seeds = seeds();
    assert!(seeds.len() >= 30, "{} seeds", seeds.len());
    let (mut heads, mut admitted, mut plain) = (0, 0, 0);
    for octets in seeds.values() {
        let decoded = armor::dearmor(octets, 1 << 16);
        for octets in [octets].into_iter().chain(&decoded) {
            heads += usize::from(read_head(octets).is_ok());
            admitted += usize::from(admit_message(octets).is_ok());
            plain += usize::from(read_plain_message(octets).is_ok());
            let _ = (
                is_unaddressed(octets),
                read_wire_head(octets),
                read_literal(octets),
            );
        }
    }
    // Otherwise they would teach the fuzzer little.
    assert!(
        heads >= 15 && admitted >= 10 && plain >= 4,
        "{heads} {admitted} {plain}"
    );
}

#[test]
fn seeds_named_for_what_they_are() {
    let seeds = seeds();
    assert!(admit_layer(&seeds["made-layer"]).is_ok());
    assert!(admit_layer(&seeds["openpgpjs-v6-x25519-with-gcm"]).is_ok());
    assert_eq!(
        read_plain_message(&seeds["gnupg-compressed-inside"]).unwrap_err(),
        Refused::Compressed { offset: 0 }
    );
    assert_eq!(
        read_head(&seeds["made-legacy-forms"])
            .unwrap()
            .recipients()
            .count(),
        3
    );
}

#[test]
fn made_seeds_are_what_is_committed() {
    let seeds = seeds();
    for (name, octets) in made() {
        assert!(
            seeds.get(name) == Some(&octets),
            "{name}: run the ignored test `write_seeds`"
        );
    }
}

#[test]
#[ignore = "writes into the source tree"]
fn write_seeds() {
    for (name, octets) in made() {
        fs::write(folder().join(name), octets).unwrap();
    }
}
