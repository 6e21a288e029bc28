//! One layer of 1 MB: ours against the plain OpenPGP library, in one run.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layer_minus_seal::{
    Keyring, RecordOpener, RecordSealer, ReplyKey, SecretCertificate, Version, layer_capacity,
    open_layer, seal_layer,
};
use pgp::composed::{Deserializable, Message, MessageBuilder, SignedSecretKey};
use pgp::crypto::aead::{AeadAlgorithm, ChunkSize};
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::Password;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

const SIZE: usize = 1_000_000;
const NOW: u64 = 1_795_000_000;
const CHUNKS: [(&str, ChunkSize); 3] = [
    ("4 KiB", ChunkSize::C4KiB),
    ("64 KiB", ChunkSize::C64KiB),
    ("1 MiB", ChunkSize::C1MiB),
];

fn layers(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let body = vec![0x5a; layer_capacity(SIZE)];
    let mut group = c.benchmark_group("layer 1 MB");
    group.throughput(Throughput::Bytes(SIZE as u64));

    let secret = SecretCertificate::generate(&mut rng, NOW, Version::V6, "bench").unwrap();
    let certificate = secret.certificate();
    let ring = Keyring::from(secret.clone());
    let plain_secret = SignedSecretKey::from_bytes(&secret.to_bytes()[..]).unwrap();
    let subkey = plain_secret.to_public_key().public_subkeys[0].clone();
    let packet = seal_layer(&mut rng, &certificate, &[&body], SIZE).unwrap();

    // Which chunk size is the library's fastest depends on the machine: so several.
    let plain_seal = |rng: &mut ChaCha20Rng, chunk| {
        let mut builder = MessageBuilder::from_bytes("", body.clone()).seipd_v2(
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

    group.bench_function("seal, ours", |b| {
        b.iter(|| seal_layer(&mut rng, &certificate, &[black_box(&body)], SIZE).unwrap());
    });
    for (name, chunk) in CHUNKS {
        group.bench_function(format!("seal, rpgp GCM {name} chunks"), |b| {
            b.iter(|| plain_seal(&mut rng, black_box(chunk)));
        });
    }
    group.bench_function("open, ours", |b| {
        b.iter(|| open_layer(black_box(&packet), &ring).unwrap());
    });
    for (name, chunk) in CHUNKS {
        let packet = plain_seal(&mut rng, chunk);
        group.bench_function(format!("open, rpgp GCM {name} chunks"), |b| {
            b.iter(|| plain_open(black_box(&packet)));
        });
    }

    let v4 = SecretCertificate::generate(&mut rng, NOW, Version::V4, "bench").unwrap();
    let v4_ring = Keyring::from(v4.clone());
    let packet = seal_layer(&mut rng, &v4.certificate(), &[&body], SIZE).unwrap();
    group.bench_function("seal, ours, version 4", |b| {
        b.iter(|| seal_layer(&mut rng, &v4.certificate(), &[black_box(&body)], SIZE).unwrap());
    });
    group.bench_function("open, ours, version 4", |b| {
        b.iter(|| open_layer(black_box(&packet), &v4_ring).unwrap());
    });
    group.finish();
}

fn records(c: &mut Criterion) {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let key = ReplyKey::generate(&mut rng);
    let content = vec![1; 300];
    let mut group = c.benchmark_group("answer of 16,000 bytes");
    group.bench_function("seal", |b| {
        b.iter(|| {
            RecordSealer::new(&key, &mut rng)
                .seal(&content, Some(16_000))
                .unwrap()
        });
    });
    let record = RecordSealer::new(&key, &mut rng)
        .seal(&content, Some(16_000))
        .unwrap();
    group.bench_function("open", |b| {
        b.iter(|| RecordOpener::new(&key).open(black_box(&record)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, layers, records);
criterion_main!(benches);
