//! How long it takes to find the recipient, and to refuse what is hostile.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::{hint::black_box, time::Duration};

use common::Stage;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use layer_minus_packet::{
    SealedPacket, Sizes, WIRE_HEAD_MAX, admit_layer, admit_message, armor, read_head, read_literal,
    read_plain_message, read_wire_head,
};
use pgp::composed::Message;

/// The same packet for both readers: `rpgp` must find it sound.
fn recipient(criterion: &mut Criterion) {
    let packet = common::layer_of(16_000);
    let prefix = &packet[..WIRE_HEAD_MAX];
    let mut group = criterion.benchmark_group("recipient of a 16,000-octet packet");
    group.bench_function("read_wire_head", |b| {
        b.iter(|| black_box(read_wire_head(black_box(prefix))).unwrap());
    });
    group.bench_function("read_head", |b| {
        b.iter(|| black_box(read_head(black_box(prefix))).unwrap().first());
    });
    group.bench_function("admit_layer", |b| {
        b.iter(|| black_box(admit_layer(black_box(&packet))).unwrap());
    });
    let sizes = Sizes::default();
    let shared = bytes::Bytes::from(packet.clone());
    group.bench_function("SealedPacket::admit", |b| {
        b.iter(|| black_box(SealedPacket::admit(shared.clone(), black_box(&sizes))).unwrap());
    });
    group.bench_function("rpgp Message::from_bytes", |b| {
        b.iter(|| black_box(Message::from_bytes(black_box(&packet[..]))).unwrap());
    });
    group.finish();
}

fn message_of_sixteen(criterion: &mut Criterion) {
    let message = [
        common::new(1, &common::pkesk6(&[7; 32])).repeat(16),
        common::new(18, &common::seipd2(100_000)),
    ]
    .concat();
    let mut group = criterion.benchmark_group("message to 16 people");
    group.bench_function("read_head", |b| {
        b.iter(|| {
            black_box(read_head(black_box(&message)))
                .unwrap()
                .recipients()
                .count()
        });
    });
    group.bench_function("admit_message", |b| {
        b.iter(|| black_box(admit_message(black_box(&message))).unwrap());
    });
    group.bench_function("rpgp Message::from_bytes", |b| {
        b.iter(|| black_box(Message::from_bytes(black_box(&message[..]))).unwrap());
    });
    group.finish();
}

/// Each must stay far below 50 ms. All readers of the stage in turn, as a node would at worst.
fn hostile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hostile");
    for hostile in common::hostile() {
        let octets = &hostile.octets[..];
        let stage = hostile.stage;
        group.bench_function(format!("{} ({stage:?})", hostile.name), |b| {
            b.iter(|| match stage {
                Stage::Sealed => {
                    let octets = black_box(octets);
                    let _ = black_box(read_head(octets));
                    let _ = black_box(read_wire_head(octets));
                    assert!(black_box(admit_layer(octets)).is_err());
                    assert!(black_box(admit_message(octets)).is_err());
                }
                Stage::Opened => {
                    let octets = black_box(octets);
                    assert!(black_box(read_literal(octets)).is_err());
                    assert!(black_box(read_plain_message(octets)).is_err());
                }
            });
        });
    }
    group.finish();
}

fn dearmor(criterion: &mut Criterion) {
    let mut text = armor::BEGIN.to_vec();
    text.extend(b"\n\n");
    for _ in 0..20_833 {
        text.extend([b'Q'; 64]);
        text.push(b'\n');
    }
    text.extend(armor::END);
    let mut group = criterion.benchmark_group("armor");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("dearmor 1 MB", |b| {
        b.iter(|| black_box(armor::dearmor(black_box(&text), 2_000_000)).unwrap());
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = recipient, message_of_sixteen, hostile, dearmor
}
criterion_main!(benches);
