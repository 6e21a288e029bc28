//! How many times as fast as the plain OpenPGP library: fails below [`FACTOR`].
//!
//! The two take turns, and of each the best of many rounds counts, so that other load on the
//! machine disturbs the result little. The library is measured at several chunk sizes and its
//! best is what we compare with.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
// A bench measures time.
#![allow(clippy::disallowed_methods)]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use layer_minus_seal::{
    Keyring, SecretCertificate, Version, layer_capacity, open_layer, seal_layer,
};
use pgp::composed::{Deserializable, Message, MessageBuilder, SignedSecretKey};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::Password;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const SIZE: usize = 1_000_000;
const NOW: u64 = 1_795_000_000;
const ROUNDS: usize = 400;
const FACTOR: f64 = 3.0;
const CHUNKS: [ChunkSize; 5] = [
    ChunkSize::C4KiB,
    ChunkSize::C16KiB,
    ChunkSize::C64KiB,
    ChunkSize::C256KiB,
    ChunkSize::C1MiB,
];

fn best(best: &mut Duration, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    *best = start.elapsed().min(*best);
}

fn main() -> ExitCode {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let body = vec![0x5a; layer_capacity(SIZE)];
    let secret = SecretCertificate::generate(&mut rng, NOW, Version::V6, "bench").unwrap();
    let certificate = secret.certificate();
    let ring = Keyring::from(secret.clone());
    let plain_secret = SignedSecretKey::from_bytes(&secret.to_bytes()[..]).unwrap();
    let subkey = plain_secret.to_public_key().public_subkeys[0].clone();
    let packet = seal_layer(&mut rng, &certificate, &[&body], SIZE).unwrap();

    let plain_seal = |rng: &mut ChaCha20Rng, body: Vec<u8>, chunk| {
        let mut builder = MessageBuilder::from_bytes("", body).seipd_v2(
            &mut *rng,
            SymmetricKeyAlgorithm::AES256,
            AeadAlgorithm::Gcm,
            chunk,
        );
        builder.partial_chunk_size(1 << 21).unwrap();
        builder.encrypt_to_key(&mut *rng, &subkey).unwrap();
        builder.to_vec(rng).unwrap()
    };
    let plain_open = |packet: &[u8]| {
        let message = Message::from_bytes(packet).unwrap();
        let mut opened = message.decrypt(&Password::empty(), &plain_secret).unwrap();
        opened.as_data_vec().unwrap()
    };
    let plain_packets = CHUNKS.map(|chunk| plain_seal(&mut rng, body.clone(), chunk));

    let [
        mut ours_seal,
        mut ours_open,
        mut plain_seal_best,
        mut plain_open_best,
    ] = [Duration::MAX; 4];
    for round in 0..ROUNDS {
        best(&mut ours_seal, || {
            black_box(seal_layer(&mut rng, &certificate, &[black_box(&body)], SIZE).unwrap());
        });
        best(&mut ours_open, || {
            black_box(open_layer(black_box(&packet), &ring).unwrap());
        });
        let body = body.clone();
        best(&mut plain_seal_best, || {
            black_box(plain_seal(&mut rng, body, CHUNKS[round % CHUNKS.len()]));
        });
        best(&mut plain_open_best, || {
            black_box(plain_open(black_box(&plain_packets[round % CHUNKS.len()])));
        });
    }

    let seal = plain_seal_best.as_secs_f64() / ours_seal.as_secs_f64();
    let open = plain_open_best.as_secs_f64() / ours_open.as_secs_f64();
    println!("1 MB, one core, best of {ROUNDS} rounds:");
    println!("seal: ours {ours_seal:?}, rpgp GCM {plain_seal_best:?}: {seal:.1} times as fast");
    println!("open: ours {ours_open:?}, rpgp GCM {plain_open_best:?}: {open:.1} times as fast");
    match seal >= FACTOR && open >= FACTOR {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
