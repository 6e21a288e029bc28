//! No reader allocates, whatever it reads; only armor does, and within its limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::hint::black_box;

use bytes::Bytes;
use common::{Form, new, packet, partial, pkesk3, pkesk6};
use layer_minus_packet::{
    SealedPacket, Sizes, admit_layer, admit_message, armor, is_unaddressed, read_head,
    read_literal, read_plain_message, read_wire_head,
};

fn octets_allocated(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).bytes_total
}

fn read_everything(octets: &[u8]) {
    if let Ok(head) = black_box(read_head(octets)) {
        black_box(head.recipients().count());
    }
    let _ = black_box(is_unaddressed(octets));
    let _ = black_box(read_wire_head(octets));
    let _ = black_box(admit_layer(octets));
    if let Ok(layout) = black_box(admit_message(octets)) {
        black_box(layout.encrypted(octets).map(<[u8]>::len).sum::<usize>());
    }
    let _ = black_box(read_literal(octets));
    if let Ok(message) = black_box(read_plain_message(octets)) {
        black_box(message.segments().map(<[u8]>::len).sum::<usize>());
    }
}

#[test]
fn the_counter_counts() {
    assert!(octets_allocated(|| drop(black_box(vec![0u8; 1_000]))) >= 1_000);
}

#[test]
fn reading_allocates_nothing() {
    let sound = [
        common::layer_of(16_000),
        common::layer_of(1_000_000),
        [
            packet(Form::Legacy(2), 1, &pkesk3([1; 8])),
            new(1, &pkesk3([0; 8])),
            partial(18, &common::seipd1(100_000), 13),
        ]
        .concat(),
        [
            new(1, &pkesk6(&[2; 20])).repeat(16),
            new(18, &common::seipd2(5_000)),
        ]
        .concat(),
        [
            common::one_pass(),
            partial(11, &common::literal(&[0; 10_000]), 9),
            common::signature(),
            new(21, &[0; 100]),
        ]
        .concat(),
    ];
    for octets in &sound {
        assert_eq!(octets_allocated(|| read_everything(octets)), 0);
        for length in (0..octets.len()).step_by(97) {
            assert_eq!(octets_allocated(|| read_everything(&octets[..length])), 0);
        }
    }
}

#[test]
fn hostile_input_allocates_nothing() {
    for hostile in common::hostile() {
        let allocated = octets_allocated(|| read_everything(&hostile.octets));
        assert_eq!(allocated, 0, "{}", hostile.name);
    }
}

#[test]
fn admitting_a_sealed_packet_copies_nothing() {
    let octets = Bytes::from(common::layer_of(1_000_000));
    let copy = octets.clone();
    let allocated = octets_allocated(|| {
        let packet = SealedPacket::admit(copy, &Sizes::default()).unwrap();
        black_box(packet.layout());
        black_box(packet.into_bytes());
    });
    assert_eq!(allocated, 0);
    drop(octets);
}

#[test]
fn armor_allocates_what_it_may() {
    let text = [armor::BEGIN, b"\n\n", &b"AAAA".repeat(1_000_000), b"\n"].concat();
    let allocated = octets_allocated(|| {
        let _ = black_box(armor::dearmor(&text, 10_000));
        let _ = black_box(armor::is_armored(&text));
    });
    assert!(allocated <= 40_000, "{allocated}");
}
