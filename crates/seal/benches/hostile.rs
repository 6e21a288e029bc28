//! What the worst accepted and refused inputs cost: fails above 50 ms or 16 MiB each.
//!
//! The best of several rounds counts, so that other load on the machine disturbs little.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
// A bench measures time.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../../packet/tests/common/mod.rs"]
mod packets;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{NOW, literal, packet, party, plain_key, random, rng, wrapped};
use layer_minus_packet::{
    admit_layer, admit_message, read_head, read_literal, read_plain_message, read_wire_head,
};
use layer_minus_seal::{
    CERTIFICATE_SIGNATURES_MAX, Certificate, Keyring, SealError, Version, open_layer, open_message,
    seal_layer,
};
use pgp::composed::{
    EncryptionCaps, KeyType, MessageBuilder, SecretKeyParamsBuilder, SubkeyParamsBuilder,
};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::ser::Serialize;
use pgp::types::{KeyVersion, Password, Timestamp};

const TIME_MAX: Duration = Duration::from_millis(50);
const BYTES_MAX: u64 = 16 * 1024 * 1024;
const ROUNDS: usize = 9;
const LIMIT: usize = 20_000_000;

/// A certificate with as many valid signatures over the primary key as are allowed.
fn most_signatures(
    version: KeyVersion,
    primary: KeyType,
    sealing: KeyType,
    count: usize,
) -> Vec<u8> {
    let mut subkey = SubkeyParamsBuilder::default();
    subkey.version(version).key_type(sealing);
    let mut builder = SecretKeyParamsBuilder::default();
    builder
        .version(version)
        .key_type(primary)
        .can_certify(true)
        .primary_user_id("somebody".to_owned())
        .subkey(subkey.can_encrypt(EncryptionCaps::All).build().unwrap());
    let key = builder.build().unwrap().generate(rng()).unwrap();
    let mut public = key.to_public_key();
    // One more certifies the User ID, one binds the subkey.
    while 2 + public.details.direct_signatures.len() < count {
        let at = NOW as u32 + public.details.direct_signatures.len() as u32;
        let mut config =
            SignatureConfig::from_key(rng(), &key.primary_key, SignatureType::Key).unwrap();
        let created = SubpacketData::SignatureCreationTime(Timestamp::from_secs(at));
        config
            .hashed_subpackets
            .push(Subpacket::regular(created).unwrap());
        let signature = config
            .sign_key(
                &key.primary_key,
                &Password::empty(),
                key.primary_key.public_key(),
            )
            .unwrap();
        public.details.direct_signatures.push(signature);
    }
    public.to_bytes().unwrap()
}

fn main() -> ExitCode {
    let secret = party(Version::V6);
    let ring = Keyring::from(secret.clone());
    let certificate = secret.certificate();
    let mut all_good = true;
    let mut measure = |name: &str, expected: bool, work: &dyn Fn() -> Result<(), SealError>| {
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            assert_eq!(black_box(work()).is_ok(), expected, "{name}");
            best = best.min(start.elapsed());
        }
        let bytes = allocation_counter::measure(|| drop(work())).bytes_max;
        println!("{name:<48} {best:>12.1?} {:>8} KiB", bytes / 1024);
        all_good &= best <= TIME_MAX && bytes <= BYTES_MAX;
    };

    // What crashes or stalls a general library ends at the reader, alone and in front of ours.
    for hostile in packets::hostile() {
        let octets = &hostile.octets;
        match hostile.stage {
            packets::Stage::Sealed => measure(hostile.name, false, &|| {
                let _ = (read_head(octets), read_wire_head(octets));
                let admitted = admit_layer(octets).is_ok() || admit_message(octets).is_ok();
                assert!(!admitted, "{}", hostile.name);
                open_message(octets, &ring, LIMIT).map(drop)
            }),
            packets::Stage::Opened => {
                let message = wrapped(&secret, octets);
                measure(hostile.name, false, &|| {
                    assert!(read_literal(octets).is_err() && read_plain_message(octets).is_err());
                    open_message(&message, &ring, LIMIT).map(drop)
                });
            }
        }
    }

    const MOST: usize = CERTIFICATE_SIGNATURES_MAX;
    let p521 = KeyType::ECDH(ECCCurve::P521);
    let ecdsa = KeyType::ECDSA(ECCCurve::P521);
    let p384 = KeyType::ECDSA(ECCCurve::P384);
    for (name, version, primary, sealing, count, taken) in [
        ("P-384", KeyVersion::V4, p384, p521.clone(), MOST, true),
        (
            "RSA 4096",
            KeyVersion::V4,
            KeyType::Rsa(4096),
            p521.clone(),
            MOST,
            true,
        ),
        (
            "Ed25519",
            KeyVersion::V6,
            KeyType::Ed25519,
            KeyType::X448,
            MOST,
            true,
        ),
        // What a stranger would send: refused before the first verification.
        ("P-521", KeyVersion::V4, ecdsa, p521, MOST, false),
        (
            "Ed448",
            KeyVersion::V6,
            KeyType::Ed448,
            KeyType::X448,
            5,
            false,
        ),
    ] {
        let bytes = most_signatures(version, primary, sealing, count);
        let name = format!("certificate with most signatures, {name}");
        measure(&name, taken, &|| Certificate::from_bytes(&bytes).map(drop));
    }
    let one_pass = packet(4, &[3, 0, 8, 22, 1, 2, 3, 4, 5, 6, 7, 8, 1]).repeat(30_000);
    for (name, plaintext) in [
        ("30,000 one-pass signatures inside", one_pass),
        (
            "500,000 padding packets inside",
            [&literal(b"x")[..], &[0xD5, 0].repeat(500_000)].concat(),
        ),
        ("compressed inside", packet(8, &random(1_000_000))),
    ] {
        let message = wrapped(&secret, &plaintext);
        measure(name, false, &|| {
            open_message(&message, &ring, LIMIT).map(drop)
        });
    }
    let sealed = seal_layer(&mut rng(), &certificate, &[b"x"], 1_000_000).unwrap();
    let mut changed = sealed.to_vec();
    changed[999_999] ^= 1;
    measure("1 MB with a changed last octet", false, &|| {
        open_layer(&changed, &ring).map(drop)
    });
    changed[119] = 2;
    measure("1 MB with its mode octet changed to OCB", false, &|| {
        open_layer(&changed, &ring).map(drop)
    });

    let subkey = &plain_key(&secret).to_public_key().public_subkeys[0];
    for (name, aead, chunk) in [
        (
            "1 MB, EAX in chunks of 64 octets",
            AeadAlgorithm::Eax,
            ChunkSize::C64B,
        ),
        (
            "1 MB, GCM in chunks of 64 octets",
            AeadAlgorithm::Gcm,
            ChunkSize::C64B,
        ),
        (
            "1 MB, OCB in chunks of 1 MiB",
            AeadAlgorithm::Ocb,
            ChunkSize::C1MiB,
        ),
    ] {
        let mut builder = MessageBuilder::from_bytes("", random(900_000)).seipd_v2(
            rng(),
            SymmetricKeyAlgorithm::AES256,
            aead,
            chunk,
        );
        builder.partial_chunk_size(1 << 21).unwrap();
        builder.encrypt_to_key(rng(), subkey).unwrap();
        let message = builder.to_vec(rng()).unwrap();
        measure(name, true, &|| open_layer(&message, &ring).map(drop));
    }
    // Sixteen session keys that all claim to be for us and are not: each is tried.
    let mut pkesk = [
        &[6, 33, 6][..],
        certificate.encryption_key().as_bytes(),
        &[25],
    ]
    .concat();
    pkesk.extend(random(32));
    pkesk.push(40);
    pkesk.extend(random(40));
    let many = [packet(1, &pkesk).repeat(16), sealed[111..].to_vec()].concat();
    measure("1 MB behind sixteen wrong session keys", false, &|| {
        open_message(&many, &ring, LIMIT).map(drop)
    });

    match all_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
